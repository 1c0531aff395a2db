using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Metrics;
using Godwit.ApiServer.Proxying;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Measuring;

/// <summary>
/// Asks agents what is used on their nodes, when somebody wants to know, and believes an answer for a few seconds: however many ask, an agent is asked once in that time. An agent that does
/// not answer is not waited for long, and its node is one of which nothing is known.
/// </summary>
internal sealed partial class UsageSource(AgentClient agents, TimeProvider clock, ILogger<UsageSource> logger)
{
    /// <summary>Agents read less often than this.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan AnswerTimeMax = TimeSpan.FromSeconds(5);

    /// <summary>More than a node with ten thousand containers says.</summary>
    private const int AnswerBytesMax = 8 << 20;

    private const int AgentsAtOnce = 32;

    private readonly ConcurrentDictionary<string, Asked> answers = new(StringComparer.Ordinal);

    private sealed record Asked(long Timestamp, Lazy<Task<UsageReport?>> Answer);

    /// <summary>What the agents of these nodes say; of one that says nothing, nothing.</summary>
    /// <param name="nodes">The stored Nodes.</param>
    /// <param name="stopping">Ends the wait, not the questions.</param>
    public async Task<IReadOnlyDictionary<string, UsageReport>> AskAsync(IEnumerable<JsonObject> nodes, CancellationToken stopping)
    {
        Forget();
        var found = new ConcurrentDictionary<string, UsageReport>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            nodes.Select(AgentRelay.AddressOf).OfType<AgentAddress>(),
            new ParallelOptions { MaxDegreeOfParallelism = AgentsAtOnce, CancellationToken = stopping },
            async (agent, ending) =>
            {
                if (await AnswerOf(agent).WaitAsync(ending) is { } report)
                {
                    found[agent.Node] = report;
                }
            });
        return found;
    }

    private Task<UsageReport?> AnswerOf(AgentAddress agent)
    {
        var now = clock.GetTimestamp();
        return answers.AddOrUpdate(
            agent.Node,
            _ => Ask(agent, now),
            (_, before) => clock.GetElapsedTime(before.Timestamp, now) < FreshFor ? before : Ask(agent, now)).Answer.Value;
    }

    private Asked Ask(AgentAddress agent, long now) => new(now, new Lazy<Task<UsageReport?>>(() => AskAsync(agent)));

    private async Task<UsageReport?> AskAsync(AgentAddress agent)
    {
        using var late = new CancellationTokenSource(AnswerTimeMax, clock);
        try
        {
            using var response = await agents.SendAsync(agent, HttpMethod.Get, "/usage", late.Token);
            response.EnsureSuccessStatusCode();
            await using var body = await response.Content.ReadAsStreamAsync(late.Token);
            var buffer = new MemoryStream();
            var piece = new byte[64 * 1024];
            while (await body.ReadAsync(piece, late.Token) is > 0 and var count)
            {
                if (buffer.Length + count > AnswerBytesMax)
                {
                    throw new InvalidDataException($"its answer is longer than {AnswerBytesMax} bytes");
                }

                buffer.Write(piece, 0, count);
            }

            return GodwitJson.Deserialize<UsageReport>(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
        }
        catch (Exception error) when (error is HttpRequestException or IOException or InvalidDataException or JsonException or OperationCanceledException)
        {
            Log.NotAnswered(logger, agent.Node, Base.ErrorChain.Describe(error));
            return null;
        }
    }

    /// <summary>Answers that nobody would believe any more, of nodes that may be gone.</summary>
    private void Forget()
    {
        foreach (var (node, asked) in answers)
        {
            if (clock.GetElapsedTime(asked.Timestamp) > FreshFor * 2)
            {
                answers.TryRemove(KeyValuePair.Create(node, asked));
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Warning, "The agent of node {Node} does not say what is used there: {Reason}")]
        public static partial void NotAnswered(ILogger logger, string node, string reason);
    }
}
