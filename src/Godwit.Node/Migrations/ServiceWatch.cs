using System.Globalization;
using Godwit.Api.Groups.V1Alpha1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Migration.Protocol;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// The group whose record decides for a guest that is one of a service, and the attempt that its move is part of. Another group of the same name is another one, and another attempt
/// is decided for by itself.
/// </summary>
internal sealed record ServiceReference(string Group, Guid Uid, int Attempt = 1)
{
    /// <summary>From the form <c>NAME/UID</c>, which is the first attempt's, or <c>NAME/UID/ATTEMPT</c>; null when it is neither.</summary>
    public static ServiceReference? Parse(string text) => text.Split('/') switch
    {
        [{ Length: > 0 } group, var uid] when Guid.TryParseExact(uid, "D", out var parsed) => new(group, parsed),
        [{ Length: > 0 } group, var uid, var attempt] when Guid.TryParseExact(uid, "D", out var parsed)
            && int.TryParse(attempt, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 => new(group, parsed, number),
        _ => null,
    };
}

/// <summary>
/// Reads a service's record for one move, for as long as the move lasts, and repeats what it says: a word that was read holds for ever, so
/// repeating it is safe, and needed, because the engine takes it only in the phases that it concerns.
/// <para>
/// That there is no record any more is a word too (<see cref="ServiceDecision.Missing"/>), and one on which guests run. A watch that has not
/// seen a group may just be late, so only the server's own answer to a question for that one object counts.
/// </para>
/// </summary>
internal sealed partial class ServiceWatch
{
    private static readonly TimeSpan Repetition = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan QuestionBound = TimeSpan.FromSeconds(10);

    private readonly MoveParts parts;
    private readonly ServiceReference service;
    private readonly Action<SourceInput> offer;
    private readonly ResourceClient<GroupMigration> client;
    private readonly ResourceCache<GroupMigration> cache;
    private readonly Signal changed;

    public ServiceWatch(MoveParts parts, ServiceReference service, Action<SourceInput> offer)
    {
        this.parts = parts;
        this.service = service;
        this.offer = offer;
        client = parts.Cluster.For<GroupMigration>();
        cache = new(client, new() { FieldSelector = $"metadata.name={service.Group}" }, parts.Time, parts.Logger);
        changed = new(parts.Time);
        cache.Subscribe(_ => changed.Set());
    }

    /// <summary>Runs until cancelled. A server that is away is waited for.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var watching = cache.RunAsync(stopping);
        while (!stopping.IsCancellationRequested)
        {
            if (cache.IsSynced)
            {
                foreach (var input in await ReadAsync(stopping))
                {
                    offer(input);
                }
            }

            await changed.WaitAsync(Repetition, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// What a record says to a move of this attempt; pure. The next attempt begins only after all were told to return, so a record of a later one says that too. One of an earlier
    /// attempt was read too early, and says nothing.
    /// </summary>
    internal static IReadOnlyList<SourceInput> InputsOf(GroupService? record, int attempt) => record switch
    {
        _ when (record?.Attempt ?? 1) is var current && current != attempt =>
            current > attempt ? [new SourceInput.Decided(ServiceDecision.ReturnAll, $"all guests of its service have returned: attempt {current} has begun")] : [],
        { Decision: GroupDecisions.RunAll } => [new SourceInput.Decided(ServiceDecision.RunAll, record.Reason ?? "")],
        { Decision: GroupDecisions.ReturnAll } => [new SourceInput.Decided(ServiceDecision.ReturnAll, $"all guests of its service return: {record.Reason}")],
        { SwitchoverTimestamp: not null } => [new SourceInput.SwitchoverOrdered()],
        _ => [],
    };

    private async Task<IReadOnlyList<SourceInput>> ReadAsync(CancellationToken stopping)
    {
        if (cache.Current.Find(new("", service.Group)) is { } seen && IsIt(seen))
        {
            return InputsOf(seen.Status.Service, service.Attempt);
        }

        try
        {
            using var late = new CancellationTokenSource(QuestionBound, parts.Time);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
            var asked = await client.FindAsync(new("", service.Group), bound.Token);
            return asked is not null && IsIt(asked)
                ? InputsOf(asked.Status.Service, service.Attempt)
                : [new SourceInput.Decided(ServiceDecision.Missing, string.Create(CultureInfo.InvariantCulture, $"the group {service.Group} ({service.Uid}) that decides for its service is not there any more"))];
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException || (error is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            Log.NotRead(parts.Logger, service.Group, ErrorChain.Describe(error));
            return [];
        }
    }

    private bool IsIt(GroupMigration group) => group.Metadata.Uid == service.Uid.ToString("D");

    private static partial class Log
    {
        [LoggerMessage(EventId = 2381, Level = LogLevel.Warning, Message = "The group {Group} that decides for a service cannot be read now: {Reason}")]
        public static partial void NotRead(ILogger logger, string group, string reason);
    }
}
