namespace Godwit.Controllers.VirtualMachines;

/// <summary>What a VirtualMachine needs done, decided from it and the incarnation that bears its name.</summary>
/// <param name="Status">The status to write, before the step.</param>
/// <param name="Step">What to do then; null for nothing.</param>
/// <param name="NextLook">When to look again though nothing changes.</param>
internal sealed record VirtualMachinePlan(VirtualMachineStatus Status, VirtualMachineStep? Step, NextLook NextLook);

/// <summary>One act upon the incarnation.</summary>
internal abstract record VirtualMachineStep
{
    private VirtualMachineStep()
    {
    }

    public sealed record Create : VirtualMachineStep;

    /// <summary>The incarnation's agent stops the guest, as gently as its grace period allows, before the object goes.</summary>
    public sealed record Delete(string Uid, string Why) : VirtualMachineStep;
}

/// <summary>
/// Keeps one incarnation (VirtualMachineInstance) of a VirtualMachine as its run strategy says. At most one exists,
/// because it bears the VM's own name; an incarnation never boots twice, a restart is a new one.
/// <code>
///  strategy         no incarnation      it lives        it ended well      it failed
///  Always           create              leave it        delete, create     delete, create
///  RerunOnFailure   create (*)          leave it        leave it           delete, create
///  Manual           leave it            leave it        leave it           leave it
///  Halted           leave it            delete          delete             delete
/// </code>
/// (*) not after one that ended well: that one's object stays and shows it. An incarnation that ends soon after its
/// start makes the next one wait (<see cref="StartFailure"/>). Start and stop requests
/// (<c>status.stateChangeRequests</c>) are honoured under every strategy, one after the other.
/// </summary>
internal static class VirtualMachinePlanner
{
    /// <summary>An incarnation that ran for less than this before it ended counts towards the back-off.</summary>
    public static readonly TimeSpan SteadyAfter = TimeSpan.FromMinutes(5);

    public static readonly TimeSpan BackoffInitial = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan BackoffLimit = TimeSpan.FromMinutes(5);

    /// <param name="vm">The VM.</param>
    /// <param name="vmi">The incarnation by the VM's name, whoever made it; null when there is none.</param>
    /// <param name="now">The time.</param>
    public static VirtualMachinePlan For(VirtualMachine vm, VirtualMachineInstance? vmi, DateTimeOffset now)
    {
        if (vmi is not null && !IsControlledBy(vm, vmi))
        {
            return ForForeign(vm, vmi, now);
        }

        var requests = Pending(vm.Status.StateChangeRequests, vmi);
        var failure = FailureAfter(vm, vmi, now);
        var step = vm.Metadata.DeletionTimestamp is null ? StepFor(vm, vmi, requests, failure, now) : null;
        if (step is VirtualMachineStep.Create && requests is [{ Action: "Start" }, ..])
        {
            requests = [.. requests.Skip(1)]; // Written before the act: a crash in between loses one start, never doubles it.
        }

        var status = vm.Status with
        {
            Created = vmi is not null,
            Ready = IsReady(vmi),
            RunStrategy = StrategyOf(vm),
            ObservedGeneration = vm.Metadata.Generation,
            DesiredGeneration = vm.Metadata.Generation,
            StateChangeRequests = requests,
            StartFailure = failure,
        };
        status = status with
        {
            PrintableStatus = Printable(vm, vmi, status, now),
            Conditions = ConditionsOf(vm, vmi, now),
        };
        return new VirtualMachinePlan(status, step, NextLookFor(vmi, failure, now));
    }

    public static string StrategyOf(VirtualMachine vm) =>
        vm.Spec.RunStrategy ?? (vm.Spec.Running == true ? RunStrategies.Always : RunStrategies.Halted);

    public static bool IsControlledBy(VirtualMachine vm, VirtualMachineInstance vmi) =>
        vmi.Metadata.OwnerReferences.Any(owner => owner.Controller == true && owner.Uid == vm.Metadata.Uid);

    private static VirtualMachineStep? StepFor(
        VirtualMachine vm, VirtualMachineInstance? vmi, IReadOnlyList<StateChangeRequest> requests, StartFailure? failure, DateTimeOffset now)
    {
        var strategy = StrategyOf(vm);
        var isStartAsked = requests is [{ Action: "Start" }, ..];
        if (vmi is null)
        {
            var isWanted = isStartAsked || strategy is RunStrategies.Always or RunStrategies.RerunOnFailure;
            var isTime = isStartAsked || RetryAfter(failure, now) is null;
            return isWanted && isTime ? new VirtualMachineStep.Create() : null;
        }

        if (vmi.Metadata.DeletionTimestamp is not null)
        {
            return null; // Its agent is at work.
        }

        if (requests is [{ Action: "Stop" }, ..])
        {
            return new VirtualMachineStep.Delete(vmi.Metadata.Uid, "a stop was asked for");
        }

        var hasEnded = VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase);
        var hasFailed = vmi.Status.Phase == VirtualMachineInstancePhases.Failed;
        var why = (strategy, hasEnded, hasFailed) switch
        {
            (RunStrategies.Halted, _, _) when !isStartAsked => "the run strategy is Halted",
            (RunStrategies.Always, true, _) => "it ended, and the run strategy is Always",
            (RunStrategies.RerunOnFailure, _, true) => "it failed, and the run strategy is RerunOnFailure",
            (_, true, _) when isStartAsked => "it ended, and a start was asked for",
            _ => null,
        };
        return why is null ? null : new VirtualMachineStep.Delete(vmi.Metadata.Uid, why);
    }

    /// <summary>The requests that still ask for something.</summary>
    private static IReadOnlyList<StateChangeRequest> Pending(IReadOnlyList<StateChangeRequest> requests, VirtualMachineInstance? vmi)
    {
        var lives = vmi is not null && !VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase) && vmi.Metadata.DeletionTimestamp is null;
        return [.. requests.SkipWhile(request => request.Action switch
        {
            "Stop" => vmi is null || (request.Uid is { Length: > 0 } uid && uid != vmi.Metadata.Uid),
            "Start" => lives,
            _ => true, // Not a request that anybody knows.
        })];
    }

    private static StartFailure? FailureAfter(VirtualMachine vm, VirtualMachineInstance? vmi, DateTimeOffset now)
    {
        var strategy = StrategyOf(vm);
        if (strategy == RunStrategies.Halted)
        {
            return null;
        }

        var known = vm.Status.StartFailure;
        if (vmi is null || vmi.Metadata.DeletionTimestamp is not null)
        {
            return known;
        }

        var runningSince = PhaseTransitions.When(vmi.Status.PhaseTransitionTimestamps, VirtualMachineInstancePhases.Running);
        if (!VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase))
        {
            var isSteady = vmi.Status.Phase == VirtualMachineInstancePhases.Running && now - runningSince >= SteadyAfter;
            return isSteady ? null : known;
        }

        var isFailure = vmi.Status.Phase == VirtualMachineInstancePhases.Failed || strategy == RunStrategies.Always;
        if (!isFailure || known?.LastFailedVmiUid == vmi.Metadata.Uid)
        {
            return known; // It ended as it may, or is counted already.
        }

        var endedAt = PhaseTransitions.When(vmi.Status.PhaseTransitionTimestamps, vmi.Status.Phase!) ?? now;
        var count = runningSince is { } since && endedAt - since >= SteadyAfter ? 1 : (known?.ConsecutiveFailCount ?? 0) + 1;
        var delay = new Base.Backoff(BackoffInitial, BackoffLimit, Jitter: 0).DelayFor(count - 1, 0);
        return new StartFailure { ConsecutiveFailCount = count, LastFailedVmiUid = vmi.Metadata.Uid, RetryAfterTimestamp = now + delay };
    }

    /// <summary>How long the next start still waits; null when it does not. A time further ahead than any wait was written before the clock went back, and says nothing.</summary>
    private static TimeSpan? RetryAfter(StartFailure? failure, DateTimeOffset now) =>
        failure?.RetryAfterTimestamp - now is { } left && left > TimeSpan.Zero && left <= BackoffLimit ? left : null;

    private static NextLook NextLookFor(VirtualMachineInstance? vmi, StartFailure? failure, DateTimeOffset now)
    {
        if (failure is null)
        {
            return NextLook.OnChange;
        }

        if (vmi is null)
        {
            return RetryAfter(failure, now) is { } wait ? NextLook.After(wait) : NextLook.OnChange;
        }

        return NextLook.After(SteadyAfter); // To forget the failure once this one has proved steady.
    }

    private static bool IsReady(VirtualMachineInstance? vmi) =>
        vmi is not null && Conditions.Find(vmi.Status.Conditions, VirtualMachineInstanceConditions.Ready)?.Status == ConditionStatuses.True;

    private static string Printable(VirtualMachine vm, VirtualMachineInstance? vmi, VirtualMachineStatus status, DateTimeOffset now)
    {
        if (vm.Metadata.DeletionTimestamp is not null)
        {
            return PrintableStatuses.Terminating;
        }

        if (vmi is null)
        {
            var isWaiting = RetryAfter(status.StartFailure, now) is not null && StrategyOf(vm) is RunStrategies.Always or RunStrategies.RerunOnFailure;
            return isWaiting ? PrintableStatuses.CrashLoopBackOff
                : StrategyOf(vm) is RunStrategies.Always or RunStrategies.RerunOnFailure ? PrintableStatuses.Starting
                : PrintableStatuses.Stopped;
        }

        if (vmi.Metadata.DeletionTimestamp is not null)
        {
            return PrintableStatuses.Stopping;
        }

        var isUnschedulable = Conditions.Find(vmi.Status.Conditions, VirtualMachineInstanceConditions.PodScheduled)?.Status == ConditionStatuses.False;
        var isPaused = Conditions.Find(vmi.Status.Conditions, VirtualMachineInstanceConditions.Paused)?.Status == ConditionStatuses.True;
        var isSuspended = Conditions.Find(vmi.Status.Conditions, VirtualMachineInstanceConditions.Suspended)?.Status == ConditionStatuses.True;
        var isMoving = vmi.Status.MigrationState is { Completed: not true, Failed: not true };
        return vmi.Status.Phase switch
        {
            VirtualMachineInstancePhases.Running when isMoving => PrintableStatuses.Migrating,
            VirtualMachineInstancePhases.Running when isSuspended => PrintableStatuses.Suspended,
            VirtualMachineInstancePhases.Running => isPaused ? PrintableStatuses.Paused : PrintableStatuses.Running,
            VirtualMachineInstancePhases.Succeeded => PrintableStatuses.Stopped,
            VirtualMachineInstancePhases.Failed => PrintableStatuses.CrashLoopBackOff,
            VirtualMachineInstancePhases.Unknown => PrintableStatuses.Unknown,
            _ => isUnschedulable ? PrintableStatuses.ErrorUnschedulable : PrintableStatuses.Starting,
        };
    }

    private static IReadOnlyList<Condition> ConditionsOf(VirtualMachine vm, VirtualMachineInstance? vmi, DateTimeOffset now)
    {
        var conditions = Conditions.Without(vm.Status.Conditions, ForeignCondition);
        var known = vmi is null ? null : Conditions.Find(vmi.Status.Conditions, VirtualMachineInstanceConditions.Ready);
        return Conditions.With(
            conditions,
            new Condition
            {
                Type = VirtualMachineInstanceConditions.Ready,
                Status = known?.Status ?? ConditionStatuses.False,
                Reason = known is null ? (vmi is null ? "NoIncarnation" : "NotStarted") : known.Reason,
                Message = known is null ? (vmi is null ? "it is not running" : "its incarnation has not started yet") : known.Message,
            },
            now);
    }

    private const string ForeignCondition = "Failure";

    private static VirtualMachinePlan ForForeign(VirtualMachine vm, VirtualMachineInstance vmi, DateTimeOffset now)
    {
        // The former VM's incarnation, on its way out, is replaced as soon as it is gone; any other stands in the way for good.
        var isLeaving = vmi.Metadata.DeletionTimestamp is not null;
        var message = isLeaving
            ? $"the incarnation {vmi.Metadata.Name} of an earlier VM is still being stopped"
            : $"a VirtualMachineInstance named {vmi.Metadata.Name} exists that this VM does not own; delete or rename one of them";
        var condition = new Condition { Type = ForeignCondition, Status = ConditionStatuses.True, Reason = "NameTaken", Message = message };
        var status = vm.Status with
        {
            Created = false,
            Ready = false,
            RunStrategy = StrategyOf(vm),
            ObservedGeneration = vm.Metadata.Generation,
            DesiredGeneration = vm.Metadata.Generation,
            PrintableStatus = isLeaving ? PrintableStatuses.Provisioning : PrintableStatuses.Stopped,
            Conditions = Conditions.With(vm.Status.Conditions, condition, now),
        };
        return new VirtualMachinePlan(status, null, NextLook.OnChange);
    }
}
