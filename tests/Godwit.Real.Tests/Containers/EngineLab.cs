using System.Text;
using Godwit.Containers;
using Godwit.Linux.Commands;
using Godwit.Linux.Files;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Containers;

/// <summary>An engine with everything of its own on this host, that leaves nothing behind.</summary>
internal sealed class EngineLab : IAsyncDisposable
{
    private readonly string folder;
    private readonly Labs.OwnSubnets subnets;
    private readonly BusyboxRoots roots;

    private EngineLab(string folder, Labs.OwnSubnets subnets, EngineOptions options)
    {
        this.folder = folder;
        this.subnets = subnets;
        Options = options;
        Directory.CreateDirectory(options.DataFolder);
        roots = new BusyboxRoots(Path.Combine(options.DataFolder, "roots"));
    }

    internal static TimeSpan Bound { get; } = TimeSpan.FromSeconds(120);

    internal EngineOptions Options { get; }

    internal ContainerEngine Engine { get; private set; } = null!;

    internal static CancellationToken Stopping => TestContext.Current.CancellationToken;

    internal static async Task<EngineLab> OpenAsync(Func<EngineOptions, EngineOptions>? change = null)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: containers get namespaces, mounts, cgroups and bridges");
        Assert.SkipUnless(File.Exists("/usr/bin/crun") && File.Exists("/usr/bin/conmon"), "needs crun and conmon: install the packages of these names");
        Assert.SkipUnless(File.Exists("/usr/sbin/nft") && File.Exists("/usr/sbin/dnsmasq"), "needs nftables and dnsmasq: install the packages nftables and dnsmasq-base");
        var unique = Labs.Apart.Short();
        var own = Labs.OwnSubnets.Take();
        var place = Path.Combine("/var/tmp", $"gwc-{unique}-{Guid.NewGuid().ToString("N")[..6]}");
        var options = new EngineOptions
        {
            DataFolder = Path.Combine(place, "data"),
            RunFolder = Path.Combine(place, "run"),
            ControlGroup = $"gwc-{unique}",
            DevicePrefix = $"gc{unique}",
            FilterTable = $"gwc-{unique}",
            AddressPools = [own.Pool],
        };
        var lab = new EngineLab(place, own, change?.Invoke(options) ?? options);
        await lab.StartEngineAsync();
        return lab;
    }

    internal async Task StartEngineAsync() => Engine = await ContainerEngine.OpenAsync(Options, roots, TimeProvider.System, NullLogger.Instance, Stopping);

    internal async Task StopEngineAsync() => await Engine.DisposeAsync();

    internal static ContainerSpec Spec(params string[] command) => new()
    {
        Image = "busybox",
        ImageId = "busybox",
        Process = new ProcessSpec { Command = command },
        Network = new NetworkSpec { Mode = NetworkMode.None },
    };

    internal static ContainerSpec Shell(string script) => Spec("/bin/sh", "-c", script);

    /// <summary>Runs to the end; the output of both streams, and how it ended.</summary>
    internal async Task<(string Output, ContainerExit Exit)> RunAsync(ContainerSpec spec, string? name = null)
    {
        var id = (await Engine.CreateAsync(name, spec, Stopping)).Value;
        await using var session = await Engine.AttachAsync(id, new AttachOptions(), Stopping);
        var exit = Engine.WaitAsync(id, WaitCondition.NextExit, Stopping);
        await Engine.StartAsync(id, Stopping);
        var output = await ReadAsync(session.ReadOutputAsync(Stopping));
        return (output, await exit.WaitAsync(Bound, Stopping));
    }

    internal async Task<string> StartAsync(ContainerSpec spec, string? name = null)
    {
        var id = (await Engine.CreateAsync(name, spec, Stopping)).Value;
        await Engine.StartAsync(id, Stopping);
        return id;
    }

    internal async Task<(string Output, int Code)> ExecuteAsync(string container, params string[] command)
    {
        var execution = Engine.CreateExecution(container, new ExecutionSpec { Process = new ProcessSpec { Command = command } });
        await using var session = await Engine.StartExecutionAsync(execution, size: null, Stopping);
        var output = await ReadAsync(session.ReadOutputAsync(Stopping));
        return (output, Engine.GetExecution(execution).ExitCode ?? throw new InvalidOperationException("the output is over and there is no exit code"));
    }

    internal async Task<string> ReadLogAsync(string container, LogQuery? query = null) => await ReadAsync(Engine.ReadLogAsync(container, query ?? new LogQuery(), Stopping));

    internal static async Task<string> ReadAsync(IAsyncEnumerable<OutputChunk> chunks)
    {
        var all = new MemoryStream();
        await foreach (var chunk in chunks)
        {
            all.Write(chunk.Bytes.Span);
        }

        return Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length);
    }

    internal static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Bound, $"not within {Bound}: {what}");
            await timer.WaitForNextTickAsync(Stopping);
        }
    }

    internal static Task UntilAsync(Func<bool> holds, string what) => UntilAsync(() => Task.FromResult(holds()), what);

    public async ValueTask DisposeAsync()
    {
        foreach (var container in Engine.List())
        {
            await Engine.RemoveAsync(container.Id.Value, new RemoveOptions(Force: true, Volumes: true), CancellationToken.None);
        }

        foreach (var sandbox in Engine.Sandboxes.List())
        {
            await Engine.RemoveSandboxAsync(sandbox.Spec.Id, CancellationToken.None);
        }

        await Engine.Networks.RemoveFromHostAsync(CancellationToken.None);
        await Engine.DisposeAsync();
        Mounts.Unmount(roots.Folder);
        Mounts.Unmount(Path.Combine(Options.RunFolder, "sandboxes"));
        foreach (var hierarchy in Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup"))
        {
            var group = Path.Combine(hierarchy, Options.ControlGroup);
            if (Directory.Exists(group))
            {
                Directory.Delete(group);
            }
        }

        Directory.Delete(folder, recursive: true);
        subnets.Dispose();
    }

    internal static async Task<string> HostAsync(string program, params string[] arguments) => await new Command(program, arguments).RunAsync(TimeProvider.System, Stopping);
}
