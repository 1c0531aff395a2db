using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli.Commands;

namespace Godwit.Cli.Comparisons;

/// <summary>The service in a virtual machine: the guest <c>tiny</c>, whose first act is to start it. Made through the Kubernetes API.</summary>
/// <param name="imageFolder">Where the guest's image lies on this host; empty when that is not known.</param>
internal sealed class MachineService(Session session, string name, string imageFolder) : IServiceUnderTest
{
    private static readonly string[] ImageFiles = ["vmlinuz", "initrd"];
    private static readonly TimeSpan GoneBound = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan UsageBound = TimeSpan.FromMinutes(1);

    private bool made;

    public string Name => "machine";

    public string Isolation => "the processor's: a kernel, memory and devices of its own; the host sees one process that emulates hardware";

    public async Task<Uri> StartAsync(CancellationToken stopping)
    {
        await session.Client.For<VirtualMachine>().CreateAsync(VmCreateCommand.Manifest(new VmWish(name, session.Namespace)), stopping);
        made = true;
        var guest = await FollowUntilAsync(one => one.Status is { Phase: VirtualMachineInstancePhases.Running, Interfaces: [{ IpAddress.Length: > 0 }, ..] }, stopping);
        return new Uri($"http://{guest.Status.Interfaces[0].IpAddress}/counter");
    }

    /// <summary>As the agent of its node tells, who looks every few seconds.</summary>
    public async Task<long?> MemoryBytesAsync(CancellationToken stopping)
    {
        using var bound = new CancellationTokenSource(UsageBound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, stopping);
        try
        {
            return (await FollowUntilAsync(one => one.Status.Usage?.MemoryBytes is > 0, either.Token)).Status.Usage!.MemoryBytes;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return null;
        }
    }

    public Task<long?> DiskBytesAsync(CancellationToken stopping)
    {
        var files = ImageFiles.Select(file => new FileInfo(Path.Combine(imageFolder, file))).ToList();
        return Task.FromResult<long?>(files.TrueForAll(file => file.Exists) ? files.Sum(file => file.Length) : null);
    }

    public async ValueTask DisposeAsync()
    {
        if (made)
        {
            await session.Client.For<VirtualMachine>().DeleteAsync(session.Key(name), new DeleteOptions(), CancellationToken.None);
            await VmWaits.UntilGoneAsync<VirtualMachine>(session, name, GoneBound, CancellationToken.None);
        }
    }

    private async Task<VirtualMachineInstance> FollowUntilAsync(Func<VirtualMachineInstance, bool> reached, CancellationToken stopping)
    {
        while (true)
        {
            // There is none until the controller has made it: then this ends at once, and begins anew.
            await foreach (var guest in session.FollowAsync<VirtualMachineInstance>(name, stopping))
            {
                if (guest is not null && reached(guest))
                {
                    return guest;
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), session.Environment.Clock, stopping);
        }
    }
}
