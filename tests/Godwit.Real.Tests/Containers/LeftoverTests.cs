using Godwit.Containers;
using Godwit.Linux.Networking;

namespace Godwit.Real.Tests.Containers;

[Trait("Needs", "root")]
public sealed class ContainerLeftoverTests
{
    private const int Together = 8;

    [Fact]
    public async Task A_thousand_containers_made_and_removed_leave_nothing_behind()
    {
        await using var lab = await EngineLab.OpenAsync();
        await ManyAsync(20, lab); // What is opened once and kept is open by now.
        var before = Count(lab);
        await ManyAsync(1000, lab, runsEvery: 10);
        await EngineLab.UntilAsync(() => Count(lab) == before, $"{before} again, not {Count(lab)}");
    }

    [Fact]
    public async Task Fifty_run_at_once()
    {
        await using var lab = await EngineLab.OpenAsync();
        var ids = new List<string>();
        for (var i = 0; i < 50; i++)
        {
            ids.Add(await lab.StartAsync(EngineLab.Shell($"echo {i}; sleep 1000") with { Network = new NetworkSpec(), Stop = new StopSpec { TimeoutSeconds = 0 } }));
        }

        Assert.All(lab.Engine.List(), container => Assert.IsType<ContainerState.Running>(container.State));
        Assert.Equal(50, lab.Engine.List().Select(container => container.Endpoints["bridge"].Addresses!.Address).Distinct().Count());
        foreach (var (id, number) in ids.Select((id, number) => (id, number)))
        {
            await EngineLab.UntilAsync(async () => await lab.ReadLogAsync(id) == $"{number}\n", $"container {number} printed");
        }
    }

    private static Task ManyAsync(int count, EngineLab lab, int runsEvery = 1) => Parallel.ForAsync(
        0,
        count,
        new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = EngineLab.Stopping },
        async (number, stopping) =>
        {
            var spec = EngineLab.Spec("true") with { Network = new NetworkSpec(), Restart = RestartPolicy.Never };
            var id = (await lab.Engine.CreateAsync(null, spec, stopping)).Value;
            if (number % runsEvery == 0)
            {
                var ended = lab.Engine.WaitAsync(id, WaitCondition.NextExit, stopping);
                await lab.Engine.StartAsync(id, stopping);
                await ended;
            }

            await lab.Engine.RemoveAsync(id, new RemoveOptions(Force: true, Volumes: true), stopping);
        });

    /// <summary>What containers could leave: mounts, namespaces, descriptors, cgroups, devices, folders.</summary>
    private static Things Count(EngineLab lab) => new(
        File.ReadAllLines("/proc/self/mounts").Count(line => line.Contains(lab.Options.DataFolder, StringComparison.Ordinal)),
        NetworkNamespace.List().Count(name => name.StartsWith(lab.Options.DevicePrefix, StringComparison.Ordinal)),
        Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(Target).Count(target => target.Contains(lab.Options.DataFolder, StringComparison.Ordinal) || target.StartsWith("pipe:", StringComparison.Ordinal)),
        Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(mount => Path.Combine(mount, lab.Options.ControlGroup)).Where(Directory.Exists).Sum(group => Directory.EnumerateDirectories(group).Count()),
        Directory.EnumerateFileSystemEntries("/sys/class/net").Count(device => Path.GetFileName(device).StartsWith(lab.Options.DevicePrefix, StringComparison.Ordinal)),
        Directory.EnumerateDirectories(Path.Combine(lab.Options.DataFolder, "containers")).Concat(Directory.EnumerateDirectories(Path.Combine(lab.Options.RunFolder, "containers"))).Count());

    private static string Target(string link)
    {
        try
        {
            return File.ResolveLinkTarget(link, returnFinalTarget: false)?.ToString() ?? "";
        }
        catch (IOException)
        {
            return ""; // The one that lists them.
        }
    }

    private readonly record struct Things(int Mounts, int Namespaces, int Descriptors, int ControlGroups, int Devices, int Folders);
}
