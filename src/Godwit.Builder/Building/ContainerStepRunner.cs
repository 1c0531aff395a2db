using Godwit.Containers;
using Godwit.Images;

namespace Godwit.Builder.Building;

/// <summary>Carries out RUN in a container of its own, which is removed at the end whatever happens.</summary>
public sealed class ContainerStepRunner(ContainerEngine engine, ImageStore images) : IStepRunner
{
    public async Task<int> RunAsync(StepRun run, Action<bool, ReadOnlyMemory<byte>> output, Func<ImageLayer?, Task> keep, CancellationToken stopping)
    {
        var id = await engine.CreateAsync(name: null, Describe(run), stopping);
        try
        {
            await using var session = await engine.AttachAsync(id.Value, new AttachOptions(), stopping);
            var reading = ReadAsync(session, output, stopping);
            var ending = engine.WaitAsync(id.Value, WaitCondition.NextExit, stopping);
            await engine.StartAsync(id.Value, stopping);
            var exit = await ending;
            await reading;
            if (exit.Code == 0)
            {
                var root = images.Layers.Find(id.Value) ?? throw new ImageException(ImageErrorKind.NotFound, $"The root of the build's container {id.Short} is gone.");
                root.Mount(); // Its files are read from the upper folder, which with a size limit is on a disk of its own.
                await keep(await root.CommitAsync(stopping, run.Change));
            }

            return exit.Code;
        }
        finally
        {
            await engine.RemoveAsync(id.Value, new RemoveOptions(Force: true, Volumes: true), CancellationToken.None);
        }
    }

    private static async Task ReadAsync(IProcessSession session, Action<bool, ReadOnlyMemory<byte>> output, CancellationToken stopping)
    {
        await foreach (var piece in session.ReadOutputAsync(stopping))
        {
            output(piece.Stream is OutputStream.Error, piece.Bytes);
        }
    }

    private ContainerSpec Describe(StepRun run) => new()
    {
        Image = run.Image.DisplayName,
        ImageId = run.Image.Id.ToString(),
        Process = new ProcessSpec { Command = run.Command, Environment = run.Environment, WorkingDirectory = run.WorkingDirectory, User = run.User },
        Network = new NetworkSpec
        {
            Mode = run.Network switch
            {
                "none" => NetworkMode.None,
                "host" => NetworkMode.Host,
                _ => NetworkMode.Networks,
            },
        },
        Mounts =
        [
            .. run.Mounts.Select(mount => mount.HostPath is { } path
                ? (MountSpec)new MountSpec.Bind(path, mount.Target) { ReadOnly = mount.IsReadOnly, HasContainerIds = mount.HasContainerIds }
                : new MountSpec.Memory(mount.Target) { SizeBytes = mount.SizeBytes }),
        ],
        Isolation = new IsolationSpec { HasUserNamespace = engine.HasUserNamespaces },
        Log = new LogSpec { Kept = false },
        EndsWithEngine = true,
    };
}
