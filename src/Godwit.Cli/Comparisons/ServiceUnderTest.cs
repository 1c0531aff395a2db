namespace Godwit.Cli.Comparisons;

/// <summary>
/// The service, running in one of its three ways. All of them answer HTTP, and so are measured by the same client:
/// <code>
///   StartAsync ─▶ asked until it answers ─▶ memory at rest ─▶ load ─▶ DisposeAsync (leaves nothing)
/// </code>
/// </summary>
internal interface IServiceUnderTest : IAsyncDisposable
{
    string Name { get; }

    /// <summary>What stands between it and the rest of the host, in words.</summary>
    string Isolation { get; }

    /// <summary>Orders its start, and returns as soon as it is known where it will answer.</summary>
    Task<Uri> StartAsync(CancellationToken stopping);

    /// <summary>Resident memory on the host of all that runs for it, in bytes; null when nobody says.</summary>
    Task<long?> MemoryBytesAsync(CancellationToken stopping);

    /// <summary>What must be on the disk to start it, in bytes; null when nobody says.</summary>
    Task<long?> DiskBytesAsync(CancellationToken stopping);
}

/// <summary>What was measured of one way to run the service. Null: nobody says.</summary>
/// <param name="StartMs">From the order to start until the first answer.</param>
/// <param name="MemoryBytes">Resident on the host, before the load.</param>
/// <param name="DiskBytes">Needed to start it.</param>
/// <param name="RequestsPerSecond">By four clients, each on connections of its own.</param>
internal sealed record ServiceMeasurement(string Name, double StartMs, long? MemoryBytes, long? DiskBytes, double RequestsPerSecond, string Isolation);
