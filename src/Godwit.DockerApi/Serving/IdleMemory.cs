using Godwit.Linux.Processes;

namespace Godwit.DockerApi.Serving;

/// <summary>
/// Gives memory back when nobody has asked for anything for a while: most of what an engine holds then was used by its start, or by the last burst of requests. Once for each
/// time that it falls idle, so an engine that nobody uses does not wake for it again, beyond a look at a number.
/// </summary>
internal sealed class IdleMemory(Func<long> requests, Action release, TimeProvider time)
{
    /// <summary>Well above the pauses of a script that runs one command after the other.</summary>
    internal static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    /// <summary>At once, for what the start needed; then looks until cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var look = new PeriodicTimer(Quiet, time);
        var seen = requests();
        var releasedAt = seen;
        release();
        try
        {
            while (await look.WaitForNextTickAsync(stopping))
            {
                var now = requests();
                if (now == seen && now != releasedAt)
                {
                    release();
                    releasedAt = now;
                }

                seen = now;
            }
        }
        catch (OperationCanceledException)
        {
            // The engine ends.
        }
    }

    /// <summary>The heap's unused parts to the kernel, and the program's pages to its file cache.</summary>
    public static void Release()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        ProgramPages.Release();
    }
}
