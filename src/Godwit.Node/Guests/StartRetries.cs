using System.Collections.Concurrent;
using Godwit.Base;
using Godwit.Machines;

namespace Godwit.Node.Guests;

/// <summary>
/// When a guest whose start failed may be tried again. The queue's own back-off does not hold it: what a failed start
/// makes and takes away again (a machine, a status) wakes the guest each time.
/// </summary>
internal sealed class StartRetries(TimeProvider time)
{
    private static readonly Backoff Backoff = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(30));

    private readonly ConcurrentDictionary<MachineId, (int Failures, DateTimeOffset NotBefore)> failed = new();

    /// <summary>Null: now.</summary>
    public DateTimeOffset? NotBefore(MachineId id) => failed.TryGetValue(id, out var last) ? last.NotBefore : null;

    public void Note(MachineId id) => failed.AddOrUpdate(id, _ => After(0), (_, last) => After(last.Failures));

    public void Forget(MachineId id) => failed.TryRemove(id, out _);

    private (int Failures, DateTimeOffset NotBefore) After(int failures) =>
        (failures + 1, time.GetUtcNow() + Backoff.DelayFor(failures, Random.Shared.NextDouble()));
}
