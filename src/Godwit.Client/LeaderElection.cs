using Godwit.Api.Coordination.V1;
using Godwit.Api.Meta.V1;
using Microsoft.Extensions.Logging;

namespace Godwit.Client;

/// <summary>Which Lease is fought for, and how patiently.</summary>
/// <param name="Lease">The Lease's namespace and name.</param>
/// <param name="Identity">Who we are: unique for each process, not for each host.</param>
public sealed record LeaderElectionOptions(ResourceKey Lease, string Identity)
{
    /// <summary>Others take over when the Lease has not changed for this long by their own clock.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>We stop leading when we have not renewed for this long; less than <see cref="LeaseDuration"/>, so we stop first.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan RetryPeriod { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>
/// Lets one of several processes lead, by a Lease.
/// <code>
///  Following ──(nobody holds it, or it stood still for a lease duration: compare-and-swap)──▶ Leading
///      ▲                                                                                        │ renew each retry period
///      └──(no renewal for a renew deadline, or another holds it: token cancelled, work awaited)─┘
/// </code>
/// No clock is compared with another host's: a follower measures, by its own clock, how long the Lease stood still.
/// A leader that is cut off stops before a follower may start, unless its process was suspended meanwhile; therefore
/// leadership only avoids needless work, and every write is still guarded by its resourceVersion.
/// </summary>
public sealed partial class LeaderElection(ResourceClient<Lease> leases, LeaderElectionOptions options, TimeProvider clock, ILogger logger)
{
    private string seenVersion = "";
    private long seenTimestamp;

    /// <summary>True while our work runs as leader.</summary>
    public bool IsLeading { get; private set; }

    /// <summary>Leads whenever it can, until cancelled. <paramref name="lead"/> must end soon after its token is cancelled.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var held = await AcquireAsync(stopping);
                Log.Leading(logger, options.Identity, options.Lease);
                await LeadAsync(held, lead, stopping);
                Log.StoppedLeading(logger, options.Identity, options.Lease);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task LeadAsync(HeldLease held, Func<CancellationToken, Task> lead, CancellationToken stopping)
    {
        using var leadership = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        IsLeading = true;
        var work = lead(leadership.Token);
        try
        {
            held = await RenewUntilLostAsync(held, work, stopping);
        }
        finally
        {
            leadership.Cancel(); // Here and not on another thread, as CancelAsync does it: nothing of the work goes on before it hears of its end.
            try
            {
                await work;
            }
            catch (OperationCanceledException)
            {
            }

            IsLeading = false;
            await ReleaseAsync(held);
        }
    }

    private async Task<HeldLease> AcquireAsync(CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                if (await TryAcquireAsync(stopping) is { } held)
                {
                    return held;
                }
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException)
            {
                Log.CannotAcquire(logger, options.Lease, Base.ErrorChain.Describe(error));
            }

            await Task.Delay(options.RetryPeriod, clock, stopping);
        }
    }

    private async Task<HeldLease?> TryAcquireAsync(CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        var now = clock.GetUtcNow();
        if (await leases.FindAsync(options.Lease, stopping) is not { } lease)
        {
            var made = await leases.CreateAsync(
                new Lease
                {
                    Metadata = new ObjectMeta { Namespace = options.Lease.Namespace, Name = options.Lease.Name },
                    Spec = Claim(new LeaseSpec { LeaseTransitions = 0, AcquireTime = now }, now),
                },
                stopping);
            return new HeldLease(made, started);
        }

        if (!MayTake(lease))
        {
            return null;
        }

        var spec = lease.Spec;
        var transitions = (spec.LeaseTransitions ?? 0) + (spec.HolderIdentity == options.Identity ? 0 : 1);
        var claimed = lease with { Spec = Claim(spec with { LeaseTransitions = transitions, AcquireTime = now }, now) };
        return new HeldLease(await leases.UpdateAsync(claimed, stopping), started);
    }

    private bool MayTake(Lease lease)
    {
        var holder = lease.Spec.HolderIdentity;
        if (string.IsNullOrEmpty(holder) || holder == options.Identity)
        {
            return true;
        }

        if (lease.Metadata.ResourceVersion != seenVersion)
        {
            seenVersion = lease.Metadata.ResourceVersion;
            seenTimestamp = clock.GetTimestamp();
        }

        var patience = lease.Spec.LeaseDurationSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : options.LeaseDuration;
        return clock.GetElapsedTime(seenTimestamp) >= patience;
    }

    /// <summary>Returns when leadership is lost or the work has ended by itself; the last lease that we know we held.</summary>
    private async Task<HeldLease> RenewUntilLostAsync(HeldLease held, Task work, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && !work.IsCompleted)
        {
            await Task.WhenAny(work, Task.Delay(options.RetryPeriod, clock, stopping));
            var left = options.RenewDeadline - clock.GetElapsedTime(held.RenewedTimestamp);
            if (stopping.IsCancellationRequested || work.IsCompleted || left <= TimeSpan.Zero)
            {
                break;
            }

            using var deadline = new CancellationTokenSource(left, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, deadline.Token);
            try
            {
                var started = clock.GetTimestamp();
                var renewed = held.Lease with { Spec = Claim(held.Lease.Spec, clock.GetUtcNow()) };
                held = new HeldLease(await leases.UpdateAsync(renewed, either.Token), started);
            }
            catch (ApiException error) when (error.IsConflict || error.IsNotFound)
            {
                // A lost answer to our own renewal looks the same; only the lease itself can tell.
                if (await ReadOwnAsync(held, either.Token) is not { } mine)
                {
                    break;
                }

                held = mine;
            }
            catch (Exception error) when (error is ApiException or ClusterUnreachableException)
            {
                Log.CannotRenew(logger, options.Lease, Base.ErrorChain.Describe(error));
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        return held;
    }

    private async Task<HeldLease?> ReadOwnAsync(HeldLease held, CancellationToken stopping)
    {
        try
        {
            var lease = await leases.FindAsync(options.Lease, stopping);
            return lease?.Spec.HolderIdentity == options.Identity ? held with { Lease = lease } : null;
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException)
        {
            return held;
        }
    }

    /// <summary>Gives the Lease back so that a follower need not wait. Best effort: the wait is the fallback.</summary>
    private async Task ReleaseAsync(HeldLease held)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(2), clock);
        try
        {
            await leases.UpdateAsync(held.Lease with { Spec = held.Lease.Spec with { HolderIdentity = "" } }, bound.Token);
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException or OperationCanceledException)
        {
            Log.CannotRelease(logger, options.Lease, error.Message);
        }
    }

    private LeaseSpec Claim(LeaseSpec spec, DateTimeOffset now) => spec with
    {
        HolderIdentity = options.Identity,
        LeaseDurationSeconds = (int)options.LeaseDuration.TotalSeconds,
        RenewTime = now,
    };

    /// <summary>A lease that the server confirmed to be ours, and when we had begun to ask for that.</summary>
    private sealed record HeldLease(Lease Lease, long RenewedTimestamp);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Identity} leads by lease {Lease}")]
        public static partial void Leading(ILogger logger, string identity, ResourceKey lease);

        [LoggerMessage(2, LogLevel.Information, "{Identity} no longer leads by lease {Lease}")]
        public static partial void StoppedLeading(ILogger logger, string identity, ResourceKey lease);

        [LoggerMessage(3, LogLevel.Warning, "Cannot acquire lease {Lease}: {Cause}")]
        public static partial void CannotAcquire(ILogger logger, ResourceKey lease, string cause);

        [LoggerMessage(4, LogLevel.Warning, "Cannot renew lease {Lease}: {Cause}")]
        public static partial void CannotRenew(ILogger logger, ResourceKey lease, string cause);

        [LoggerMessage(5, LogLevel.Debug, "Lease {Lease} was not given back: {Cause}")]
        public static partial void CannotRelease(ILogger logger, ResourceKey lease, string cause);
    }
}
