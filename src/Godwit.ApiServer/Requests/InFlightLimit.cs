using System.Collections.Concurrent;

namespace Godwit.ApiServer.Requests;

/// <summary>
/// How many requests one user may have under way. Watches and streams are counted apart: they are many, long and idle.
/// Beyond the limit a client is told to come back (429), so one that runs wild cannot starve the others.
/// </summary>
internal sealed class InFlightLimit
{
    public const int RequestsMax = 256;
    public const int StreamsMax = 8192;

    private readonly ConcurrentDictionary<(string User, bool Streams), Counter> counters = new();

    /// <summary>Counts a request in; disposing of the result counts it out.</summary>
    /// <exception cref="StatusException">The user has too many under way: 429.</exception>
    public IDisposable Enter(string user, bool streams)
    {
        var counter = counters.GetOrAdd((user, streams), _ => new Counter());
        return counter.TryEnter(streams ? StreamsMax : RequestsMax)
            ? counter
            : throw StatusException.TooManyRequests($"{user} has too many requests under way, please try again later", retryAfterSeconds: 1);
    }

    // Users are those with a certificate of ours or a token, so the table is as small as the cluster's list of users.
    private sealed class Counter : IDisposable
    {
        private int count;

        public bool TryEnter(int max)
        {
            if (Interlocked.Increment(ref count) <= max)
            {
                return true;
            }

            Interlocked.Decrement(ref count);
            return false;
        }

        public void Dispose() => Interlocked.Decrement(ref count);
    }
}
