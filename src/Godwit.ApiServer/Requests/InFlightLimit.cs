namespace Godwit.ApiServer.Requests;

/// <summary>
/// How many requests one user may have under way. Watches and streams are counted apart: they are many, long and idle.
/// Beyond the limit a client is told to come back (429), so one that runs wild cannot starve the others.
/// </summary>
internal sealed class InFlightLimit
{
    public const int RequestsMax = 256;
    public const int StreamsMax = 8192;

    private readonly Lock gate = new();

    /// <summary>Only who has something under way: names come from clients too (impersonation), so there is no end of them.</summary>
    private readonly Dictionary<(string User, bool Streams), int> underWay = [];

    /// <summary>How many users have something under way.</summary>
    internal int UserCount
    {
        get
        {
            lock (gate)
            {
                return underWay.Count;
            }
        }
    }

    /// <summary>Counts a request in; disposing of the result counts it out.</summary>
    /// <exception cref="StatusException">The user has too many under way: 429.</exception>
    public IDisposable Enter(string user, bool streams)
    {
        lock (gate)
        {
            var count = underWay.GetValueOrDefault((user, streams));
            if (count < (streams ? StreamsMax : RequestsMax))
            {
                underWay[(user, streams)] = count + 1;
                return new Entered(this, user, streams);
            }
        }

        throw StatusException.TooManyRequests($"{user} has too many requests under way, please try again later", retryAfterSeconds: 1);
    }

    private void Leave(string user, bool streams)
    {
        lock (gate)
        {
            if (--underWay[(user, streams)] == 0)
            {
                underWay.Remove((user, streams));
            }
        }
    }

    private sealed class Entered(InFlightLimit limit, string user, bool streams) : IDisposable
    {
        private int isLeft;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isLeft, 1) == 0)
            {
                limit.Leave(user, streams);
            }
        }
    }
}
