using System.Collections.Concurrent;

namespace Godwit.Controllers;

/// <summary>
/// Objects that were written without an answer: the connection broke, or the wait for it was given up, and the server may have carried it out all the same. The watch tells, but perhaps not before the next
/// decision; so whoever gives out what there is only once (room, addresses) asks for these objects first (<see cref="SettleAsync"/>).
/// </summary>
internal sealed class WritesInDoubt<T>(ResourceClient<T> client, ResourceCache<T> cache)
    where T : Resource, IResource<T>
{
    private readonly ConcurrentDictionary<ResourceKey, bool> keys = new();

    /// <summary>Carries out a write, and remembers what it was about when no answer came.</summary>
    public async Task RunAsync(ResourceKey key, Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (ApiException refusal) when (refusal.Code < 500)
        {
            throw; // An answer: it was not carried out.
        }
        catch
        {
            keys[key] = true;
            throw;
        }
    }

    /// <summary>Shows the cache what came of the writes that had no answer. As long as the server cannot be asked this fails, and nothing is to be given out.</summary>
    public async Task SettleAsync(CancellationToken stopping)
    {
        foreach (var key in keys.Keys.Order()) // Whatever the hash of the day, the same.
        {
            if (await client.FindAsync(key, stopping) is { } there)
            {
                cache.Observe(there);
            }

            keys.TryRemove(key, out _);
        }
    }
}
