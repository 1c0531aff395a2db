using System.Threading.Channels;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Microsoft.Extensions.Logging;

namespace Godwit.Client;

/// <summary>
/// Writes Kubernetes events about objects. <see cref="Record"/> never waits and never fails: events are for people, and
/// no work may depend on them. A repeat of the same event becomes a count on the first one.
/// </summary>
public sealed partial class EventRecorder(ClusterClient cluster, string component, string? host, TimeProvider clock, ILogger logger)
{
    /// <summary>Events that wait to be written; more are dropped and counted.</summary>
    public const int QueueEventsMax = 1_000;

    /// <summary>Events whose repeats are recognised.</summary>
    public const int RememberedEventsMax = 2_000;

    /// <summary>A repeat after this long is a new event.</summary>
    public static readonly TimeSpan RepeatWindow = TimeSpan.FromMinutes(10);

    private const int MessageCharsMax = 1_024;
    private const int ResourceNameCharsMax = 253;
    private const int AttemptsMax = 3;

    private readonly ResourceClient<Event> events = cluster.For<Event>();
    private readonly Channel<Pending> queue = Channel.CreateBounded<Pending>(
        new BoundedChannelOptions(QueueEventsMax) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    // Touched by the one writer only.
    private readonly Dictionary<Identity, Event> written = [];
    private readonly Queue<Identity> order = [];
    private long dropped;

    /// <summary>Events that were dropped because the queue was full or the server did not take them.</summary>
    public long DroppedCount => Interlocked.Read(ref dropped);

    /// <param name="about">The object that the event is about, as the server gave it.</param>
    /// <param name="severity">One of <see cref="EventTypes"/>.</param>
    /// <param name="reason">Why, as one CamelCase word for programs.</param>
    /// <param name="message">What happened, as a sentence for people.</param>
    public void Record(Resource about, string severity, string reason, string message)
    {
        var reference = new ObjectReference
        {
            ApiVersion = about.ApiVersion,
            Kind = about.Kind,
            Namespace = about.Metadata.Namespace,
            Name = about.Metadata.Name,
            Uid = about.Metadata.Uid,
        };
        var text = message.Length <= MessageCharsMax ? message : message[..(MessageCharsMax - 1)] + "…";
        var identity = new Identity(about.Metadata.Uid, about.Kind, severity, reason, text);
        if (!queue.Writer.TryWrite(new Pending(identity, reference, clock.GetUtcNow())))
        {
            Interlocked.Increment(ref dropped);
        }
    }

    /// <summary>Writes what is recorded until cancelled; then writes what still waits, within two seconds.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (await queue.Reader.WaitToReadAsync(stopping))
            {
                while (queue.Reader.TryRead(out var pending))
                {
                    await WriteAsync(pending, stopping);
                }
            }
        }
        catch (OperationCanceledException)
        {
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(2), clock);
            while (!bound.IsCancellationRequested && queue.Reader.TryRead(out var pending))
            {
                await WriteAsync(pending, bound.Token);
            }
        }
    }

    private async Task WriteAsync(Pending pending, CancellationToken stopping)
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            try
            {
                if (written.TryGetValue(pending.Identity, out var earlier) && pending.At - earlier.LastTimestamp < RepeatWindow)
                {
                    written[pending.Identity] = await RepeatAsync(earlier, pending, stopping);
                }
                else
                {
                    Remember(pending.Identity, await events.CreateAsync(New(pending), stopping));
                }

                return;
            }
            catch (ApiException error) when (error.IsNotFound && written.Remove(pending.Identity))
            {
                // The first one has expired at the server: this is a new one.
            }
            catch (ApiException error)
            {
                Drop(pending, error);
                return;
            }
            catch (ClusterUnreachableException error) when (attempt == AttemptsMax)
            {
                Drop(pending, error);
            }
            catch (ClusterUnreachableException)
            {
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref dropped);
                return;
            }
        }
    }

    private void Drop(Pending pending, Exception error)
    {
        Interlocked.Increment(ref dropped);
        Log.Dropped(logger, pending.Identity.Reason, $"{pending.About.Kind} {pending.About.Namespace}/{pending.About.Name}", ErrorChain.Describe(error));
    }

    private Task<Event> RepeatAsync(Event earlier, Pending pending, CancellationToken stopping)
    {
        var patch = new JsonObject
        {
            ["count"] = (earlier.Count ?? 1) + 1,
            ["lastTimestamp"] = Rfc3339.Format(pending.At),
        };
        return events.PatchAsync(ResourceKey.Of(earlier), patch, stopping);
    }

    private void Remember(Identity identity, Event made)
    {
        if (written.TryAdd(identity, made))
        {
            order.Enqueue(identity);
        }
        else
        {
            written[identity] = made;
        }

        while (order.Count > RememberedEventsMax)
        {
            written.Remove(order.Dequeue());
        }
    }

    private Event New(Pending pending)
    {
        // Events of cluster-wide objects live in the namespace "default", where kubectl looks for them.
        var @namespace = string.IsNullOrEmpty(pending.About.Namespace) ? "default" : pending.About.Namespace;
        return new Event
        {
            Metadata = new ObjectMeta { Namespace = @namespace, Name = NameFor(pending.About.Name ?? "") },
            InvolvedObject = pending.About,
            Reason = pending.Identity.Reason,
            Message = pending.Identity.Message,
            Severity = pending.Identity.Severity,
            Source = new EventSource { Component = component, Host = host },
            FirstTimestamp = pending.At,
            LastTimestamp = pending.At,
            Count = 1,
        };
    }

    private static string NameFor(string about) =>
        $"{about[..Math.Min(about.Length, ResourceNameCharsMax - 17)].TrimEnd('.', '-')}.{Guid.NewGuid().ToString("N")[..16]}";

    private readonly record struct Identity(string Uid, string Kind, string Severity, string Reason, string Message);

    private sealed record Pending(Identity Identity, ObjectReference About, DateTimeOffset At);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The event {Reason} about {Object} was not written: {Cause}")]
        public static partial void Dropped(ILogger logger, string reason, string @object, string cause);
    }
}
