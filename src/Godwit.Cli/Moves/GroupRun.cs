using Godwit.Api.Groups.V1Alpha1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;

namespace Godwit.Cli.Moves;

/// <summary>Makes a GroupMigration, shows its plan and follows it to its end.</summary>
internal sealed class GroupRun(Session session, TimeSpan bound)
{
    /// <summary>What is under way when a person presses Ctrl-C has this long to turn back; the rest it does by itself.</summary>
    private static readonly TimeSpan CancelWaitMax = TimeSpan.FromSeconds(10);

    private readonly ResourceClient<GroupMigration> groups = session.Client.For<GroupMigration>();
    private readonly Dictionary<string, string> told = new(StringComparer.Ordinal);
    private bool isPlanTold;

    /// <summary>True: Ctrl-C cancels the group. Else it only stops following.</summary>
    public bool InterruptCancels { get; init; }

    /// <summary>What a person may want to do after a cancel.</summary>
    public string AfterCancel { get; init; } = "";

    /// <summary>A plan and nothing else; its object is taken away again.</summary>
    public async Task<int> PlanAsync(string namePrefix, GroupMigrationSpec spec, CancellationToken stopping)
    {
        var group = await MakeAsync(namePrefix, spec with { PlanOnly = true }, stopping);
        try
        {
            var planned = await EndAsync(group, stopping) ?? throw new CliException("The plan was deleted before it was made");
            session.Printer.Object(planned, output => GroupText.Plan(output, session.Printer, planned));
            return ExitCodes.Done;
        }
        finally
        {
            await TidyAwayAsync(group);
        }
    }

    public async Task<int> MoveAsync(string namePrefix, GroupMigrationSpec spec, CancellationToken stopping)
    {
        var group = await MakeAsync(namePrefix, spec, stopping);
        GroupMigration? last;
        try
        {
            last = await EndAsync(group, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return InterruptCancels ? await CancelAsync(group) : await LeaveAsync(group);
        }

        if (last is null)
        {
            throw new CliException($"The group {group.Metadata.Name} was cancelled. {AfterCancel}".TrimEnd());
        }

        if (last.Status.Phase != GroupPhases.Succeeded)
        {
            session.Printer.Object(last, output => GroupText.End(output, session.Printer, last));
            throw new CliException(last.Status.Reason ?? "The group did not move, and no reason was given");
        }

        session.Printer.Object(last, output => GroupText.End(output, session.Printer, last));
        return ExitCodes.Done;
    }

    private Task<GroupMigration> MakeAsync(string namePrefix, GroupMigrationSpec spec, CancellationToken stopping) =>
        groups.CreateAsync(new GroupMigration { Metadata = new ObjectMeta { GenerateName = namePrefix }, Spec = spec }, stopping);

    /// <summary>Follows it to its end, telling what changes; null when it was deleted.</summary>
    private async Task<GroupMigration?> EndAsync(GroupMigration group, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(bound, session.Environment.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        try
        {
            await foreach (var state in session.FollowAsync<GroupMigration>(group.Metadata.Name, either.Token))
            {
                if (state is null)
                {
                    return null;
                }

                await TellAsync(state);
                if (GroupPhases.IsFinal(state.Status.Phase))
                {
                    return state;
                }
            }

            return null;
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            throw new CliException(
                $"The group {group.Metadata.Name} has not ended within {bound.TotalSeconds:0} s. It goes on: see kubectl get groupmigrations; to end it: godwit migrate cancel {group.Metadata.Name}",
                ExitCodes.TimedOut);
        }
    }

    private async Task TellAsync(GroupMigration group)
    {
        if (group.Status.Phase == GroupPhases.Planning && told.TryAdd("", "planning"))
        {
            var movable = group.Status.Members.Count(member => member.Phase == GroupMemberPhases.Waiting);
            await session.Remarks.WriteLineAsync($"{group.Metadata.Name}: planning: {movable} of {group.Status.Members.Count} guests can move; their nodes measure");
        }

        if (group.Spec.PlanOnly == true || group.Status.Phase is null or GroupPhases.Planning)
        {
            return;
        }

        if (!isPlanTold && session.Format is Output.OutputFormat.Table or Output.OutputFormat.Wide)
        {
            GroupText.Plan(session.Output, session.Printer, group);
            await session.Output.WriteLineAsync();
        }

        isPlanTold = true;
        foreach (var member in group.Status.Members)
        {
            var words = GroupText.Member(member);
            var key = $"{member.Namespace}/{member.Name}";
            if (words.Length > 0 && told.GetValueOrDefault(key) != words)
            {
                told[key] = words;
                var standing = GroupMemberPhases.IsFinal(member.Phase) ? $" ({GroupText.Standing(group.Status, session.Environment.Clock.GetUtcNow())})" : "";
                await session.Remarks.WriteLineAsync(words + standing);
            }
        }
    }

    private async Task<int> LeaveAsync(GroupMigration group)
    {
        await session.Environment.Error.WriteLineAsync(
            $"Stopped following. The group goes on: see kubectl get groupmigration {group.Metadata.Name}; to end it: godwit migrate cancel {group.Metadata.Name}");
        return ExitCodes.Interrupted;
    }

    /// <summary>What is under way turns back, what waits is not begun, what has arrived stays.</summary>
    private async Task<int> CancelAsync(GroupMigration group)
    {
        await session.Environment.Error.WriteLineAsync($"Cancelling {group.Metadata.Name}: what is under way turns back, what has arrived stays");
        using var patience = new CancellationTokenSource(CancelWaitMax, session.Environment.Clock);
        try
        {
            await DeleteAsync(group, patience.Token);
            await foreach (var _ in session.FollowAsync<GroupMigration>(group.Metadata.Name, patience.Token))
            {
                // The end of this is the object's end, and its last move has ended then.
            }

            await session.Environment.Error.WriteLineAsync($"Cancelled. {AfterCancel}".TrimEnd());
        }
        catch (OperationCanceledException)
        {
            await session.Environment.Error.WriteLineAsync($"The cancel goes on: see godwit migrate list. {AfterCancel}".TrimEnd());
        }

        return ExitCodes.Interrupted;
    }

    private async Task TidyAwayAsync(GroupMigration group)
    {
        try
        {
            using var patience = new CancellationTokenSource(CancelWaitMax, session.Environment.Clock);
            await DeleteAsync(group, patience.Token);
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException or OperationCanceledException)
        {
            await session.Environment.Error.WriteLineAsync($"The object groupmigration/{group.Metadata.Name} is left behind: {ErrorChain.Describe(error)}");
        }
    }

    private Task<bool> DeleteAsync(GroupMigration group, CancellationToken stopping) =>
        groups.TryDeleteAsync(ResourceKey.Of(group), new DeleteOptions { Preconditions = new Preconditions { Uid = group.Metadata.Uid } }, stopping);
}
