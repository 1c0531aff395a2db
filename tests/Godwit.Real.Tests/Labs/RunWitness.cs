using System.Diagnostics;
using System.Globalization;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// The kernel as the witness that two copies of a guest never run at once: it counts the time of each QEMU's CPU threads.
/// Two that both run within one look may have taken turns in it, as they do at a hand-over; two that both run in two looks
/// on end have not. That holds for looks that are a moment: one at a process that runs and, a pause of ours later, at the process that has taken over is
/// none, and is dropped.
/// </summary>
internal sealed class RunWitness : IAsyncDisposable
{
    private const long RanNanosecondsMin = 5_000_000;
    private const int LooksOnEndMax = 1;
    private const int LooksPerSearch = 5;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>Less than what two processes that took turns need, for each to have run for so long within one look.</summary>
    private static readonly TimeSpan MomentMax = TimeSpan.FromTicks(2 * RanNanosecondsMin / TimeSpan.NanosecondsPerTick);

    private readonly string displayName;
    private readonly CancellationTokenSource ended = new();
    private readonly Task watching;
    private volatile string? violation;
    private volatile int looks;

    private RunWitness(string displayName)
    {
        this.displayName = displayName;
        watching = Task.Run(WatchAsync);
    }

    public static RunWitness Of(TinyGuest guest) => Of($"default/{guest.Name}");

    public static RunWitness Of(string displayName) => new(displayName);

    /// <summary>What it has seen that must never be; null: nothing.</summary>
    public string? Violation => violation;

    public void MustHaveSeenOneAtATime()
    {
        Assert.True(looks > 0, "The witness never looked.");
        Assert.True(violation is null, violation); // In full: how many looks it were tells a copy that ran from one that was looked at late.
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        await watching;
        ended.Dispose();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Look);
        IReadOnlyList<int> processes = [];
        var before = new Dictionary<int, long>();
        var onEnd = 0;
        try
        {
            for (var look = 0; await timer.WaitForNextTickAsync(ended.Token); look++)
            {
                processes = look % LooksPerSearch == 0 ? QemuProcesses.Of(displayName) : processes;
                var began = Stopwatch.GetTimestamp();
                var now = processes.ToDictionary(processId => processId, CpuNanoseconds);
                if (Stopwatch.GetElapsedTime(began) >= MomentMax)
                {
                    continue;
                }

                var ran = now.Where(entry => before.TryGetValue(entry.Key, out var earlier) && entry.Value - earlier >= RanNanosecondsMin).Select(entry => entry.Key).ToList();
                onEnd = ran.Count > 1 ? onEnd + 1 : 0;
                if (onEnd > LooksOnEndMax)
                {
                    violation = $"The QEMU processes {string.Join(" and ", ran)} of {displayName} both ran the guest, in {onEnd} looks on end.";
                }

                before = now;
                looks = look;
            }
        }
        catch (OperationCanceledException)
        {
            // It has seen enough.
        }
    }

    /// <summary>What the threads that are the guest's CPUs have run.</summary>
    private static long CpuNanoseconds(int processId)
    {
        long sum = 0;
        try
        {
            foreach (var thread in Directory.EnumerateDirectories($"/proc/{processId}/task"))
            {
                if (File.ReadAllText(Path.Combine(thread, "comm")).StartsWith("CPU ", StringComparison.Ordinal))
                {
                    sum += long.Parse(File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture);
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return 0; // It ended while we looked.
        }

        return sum;
    }
}
