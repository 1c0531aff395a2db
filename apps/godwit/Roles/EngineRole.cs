using Godwit.App.Clusters;
using Godwit.Builder;
using Godwit.Builder.Building;
using Godwit.Containers;
using Godwit.DockerApi;
using Godwit.Images;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.App.Roles;

/// <summary>What <c>godwit engine</c> is told.</summary>
internal sealed record EngineRoleOptions
{
    /// <summary>Where the Docker API listens.</summary>
    public required string SocketPath { get; init; }

    /// <summary>Where it listens over TCP besides.</summary>
    public IReadOnlyList<SecureDoor> Doors { get; init; } = [];

    public required EngineOptions Engine { get; init; }

    public required string ImagesFolder { get; init; }

    public required RegistryOptions Registries { get; init; }

    /// <summary>The program's, told to clients.</summary>
    public required string Version { get; init; }

    public static EngineOptions EngineOf(Places places) => new()
    {
        DataFolder = places.EngineFolder,
        RunFolder = Path.Combine(places.RunFolder, "engine"),
        ControlGroup = $"{places.ControlGroup}-containers",
        DevicePrefix = $"{places.LinkPrefix}c",
        FilterTable = $"{places.ControlGroup}-containers",
    };
}

/// <summary>The container engine in one process: images, containers, and the Docker API before them. When it ends, containers run on.</summary>
internal static class EngineRole
{
    /// <summary>In its data folder; held while it runs.</summary>
    public const string LockFileName = "lock";

    /// <summary>Runs until cancelled. <paramref name="answering"/> is set once the API answers.</summary>
    /// <exception cref="ClusterException">Something that it needs is not on this host, or is another engine's.</exception>
    public static async Task RunAsync(EngineRoleOptions options, ILoggerFactory loggers, TaskCompletionSource? answering, CancellationToken stopping)
    {
        var time = TimeProvider.System;
        RequirePrograms(options.Engine.RuntimePath, options.Engine.MonitorPath);
        Directory.CreateDirectory(options.Engine.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await Predecessor.HasEndedAsync(Path.Combine(options.Engine.DataFolder, LockFileName), time, stopping);
        DataFormat.Require(options.Engine.DataFolder); // The image store would tidy up first.
        using var images = ImageStore.Open(new ImageStoreOptions { Folder = options.ImagesFolder, Registries = options.Registries }, time, loggers.CreateLogger<ImageStore>());
        await using var engine = await ContainerEngine.OpenAsync(options.Engine, new ImageRootFileSystems(options.ImagesFolder, images), time, loggers.CreateLogger<ContainerEngine>(), stopping);
        var services = new EngineServices
        {
            Containers = engine,
            Images = images,
            Builder = new ImageBuilder(images, new ContainerStepRunner(engine, images), Path.Combine(options.Engine.DataFolder, "builder"), time),
            BuildsFolder = EmptyFolder(Path.Combine(options.Engine.DataFolder, "contexts")),
            Time = time,
            Loggers = loggers,
            Version = options.Version,
            DataFolder = options.Engine.DataFolder,
        };
        await using var api = await DockerApiHost.StartAsync(options.SocketPath, services, options.Doors, stopping);
        answering?.TrySetResult();
        await Task.Delay(Timeout.InfiniteTimeSpan, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// Ends the containers of an engine that does not run any more, and takes their networks, mounts and cgroups away. They stay known, with their logs and files; those that are
    /// always to run start again with the next engine.
    /// </summary>
    public static async Task EndContainersAsync(EngineOptions options, ILoggerFactory loggers, CancellationToken stopping)
    {
        var imagesFolder = ImagesFolderOf(options);
        if (!Directory.Exists(imagesFolder) || !File.Exists(options.RuntimePath) || !File.Exists(options.MonitorPath))
        {
            return;
        }

        DataFormat.Require(options.DataFolder);
        using var images = ImageStore.Open(new ImageStoreOptions { Folder = imagesFolder }, TimeProvider.System, loggers.CreateLogger<ImageStore>());
        await using var engine = await ContainerEngine.OpenAsync(options, new ImageRootFileSystems(imagesFolder, images), TimeProvider.System, loggers.CreateLogger<ContainerEngine>(), stopping);
        await Task.WhenAll(engine.List().Where(container => container.State is ContainerState.Alive or ContainerState.Restarting).Select(async container =>
        {
            try
            {
                await engine.StopAsync(container.Id.Value, null, stopping);
            }
            catch (ContainerException gone) when (gone is NothingToDoException or NotThereException)
            {
                // It has ended by itself.
            }
        }));
    }

    public static string ImagesFolderOf(EngineOptions options) => Path.Combine(options.DataFolder, "images");

    private static string EmptyFolder(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        return Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
    }

    private static void RequirePrograms(params ReadOnlySpan<string> paths)
    {
        foreach (var path in paths)
        {
            if (!File.Exists(path))
            {
                throw new ClusterException($"The container engine needs {path}, which is not on this host: install the package {Path.GetFileName(path)}");
            }
        }
    }
}
