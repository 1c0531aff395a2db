using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Cli.Commands;

/// <summary>Waiting for a machine to become what it was asked to be, each wait with a bound.</summary>
internal static class VmWaits
{
    private static readonly TimeSpan LookAgainDelay = TimeSpan.FromMilliseconds(500);

    public static Task<VirtualMachine> UntilRunningAsync(Session session, string name, TimeSpan bound, CancellationToken stopping) =>
        UntilAsync(session, name, "run", vm => vm.Status is { Ready: true, PrintableStatus: PrintableStatuses.Running }, bound, stopping);

    public static Task<VirtualMachine> UntilStoppedAsync(Session session, string name, TimeSpan bound, CancellationToken stopping) =>
        UntilAsync(session, name, "be stopped", vm => vm.Status is { PrintableStatus: PrintableStatuses.Stopped }, bound, stopping);

    public static Task UntilSuspendedAsync(Session session, string name, TimeSpan bound, CancellationToken stopping) =>
        UntilGuestAsync(session, name, "be suspended", guest => ConditionOf(guest, VirtualMachineInstanceConditions.Suspended) is { Status: ConditionStatuses.True }, bound, stopping);

    /// <summary>Until its CPUs run.</summary>
    public static Task UntilGuestRunsAsync(Session session, string name, TimeSpan bound, CancellationToken stopping) =>
        UntilGuestAsync(session, name, "run", guest => ConditionOf(guest, VirtualMachineInstanceConditions.Ready) is { Status: ConditionStatuses.True }, bound, stopping);

    /// <summary>Until another incarnation than the one named runs.</summary>
    /// <param name="before">The uid of the incarnation that was told to go; null when there was none.</param>
    public static Task<VirtualMachineInstance> UntilAnotherRunsAsync(Session session, string name, string? before, TimeSpan bound, CancellationToken stopping) =>
        BoundedAsync(
            session,
            $"{name} to run again",
            bound,
            async limited =>
            {
                while (true)
                {
                    // Ends with the old incarnation, and begins anew with the next: there may be none for a moment.
                    await foreach (var guest in session.FollowAsync<VirtualMachineInstance>(name, limited))
                    {
                        if (guest is { Status.Phase: VirtualMachineInstancePhases.Running } && guest.Metadata.Uid != before)
                        {
                            return guest;
                        }
                    }

                    await Task.Delay(LookAgainDelay, session.Environment.Clock, limited);
                }
            },
            stopping);

    /// <summary>Returns when no object of the kind and name is left.</summary>
    public static Task UntilGoneAsync<T>(Session session, string name, TimeSpan bound, CancellationToken stopping)
        where T : Resource, IResource<T> =>
        BoundedAsync(
            session,
            $"{name} to be gone",
            bound,
            async limited =>
            {
                await foreach (var _ in session.FollowAsync<T>(name, limited))
                {
                    // The end of this is the object's end.
                }

                return true;
            },
            stopping);

    private static Condition? ConditionOf(VirtualMachineInstance guest, string type) => guest.Status.Conditions.FirstOrDefault(condition => condition.Type == type);

    private static Task<VirtualMachineInstance> UntilGuestAsync(
        Session session, string name, string goal, Func<VirtualMachineInstance, bool> reached, TimeSpan bound, CancellationToken stopping) =>
        BoundedAsync(
            session,
            $"{name} to {goal}",
            bound,
            async limited =>
            {
                await foreach (var guest in session.FollowAsync<VirtualMachineInstance>(name, limited))
                {
                    if (guest is not null && reached(guest))
                    {
                        return guest;
                    }
                }

                throw new CliException($"{name} ended while we waited for it to {goal}", ExitCodes.NotFound);
            },
            stopping);

    private static Task<VirtualMachine> UntilAsync(
        Session session, string name, string goal, Func<VirtualMachine, bool> reached, TimeSpan bound, CancellationToken stopping) =>
        BoundedAsync(
            session,
            $"{name} to {goal}",
            bound,
            async limited =>
            {
                await foreach (var vm in session.FollowAsync<VirtualMachine>(name, limited))
                {
                    if (vm is not null && reached(vm))
                    {
                        return vm;
                    }
                }

                throw new CliException($"{name} was deleted while we waited for it to {goal}", ExitCodes.NotFound);
            },
            stopping);

    private static async Task<T> BoundedAsync<T>(Session session, string goal, TimeSpan bound, Func<CancellationToken, Task<T>> wait, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(bound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        try
        {
            return await Patience.WaitAsync(session.Environment, goal, () => wait(either.Token));
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            throw new CliException(
                $"Waited {bound.TotalSeconds:0} s for {goal}: see godwit vm show for why. It may still happen; --timeout waits longer", ExitCodes.TimedOut);
        }
    }
}
