using System.Net;
using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary>What a system says of a move that it has made.</summary>
/// <param name="Succeeded">The guest is on the other host.</param>
/// <param name="TotalSeconds">As the system counts it.</param>
/// <param name="StreamSeconds">As its source's QEMU counts it (<c>total-time</c>); null: the system does not pass it on.</param>
/// <param name="DowntimeMs">As the system counts it.</param>
/// <param name="Remark">What else it said.</param>
internal sealed record OwnWord(bool Succeeded, double? TotalSeconds, double? StreamSeconds, double? DowntimeMs, string Remark = "");

/// <summary>Something that runs one guest on two hosts and moves it between them.</summary>
internal interface IMovingSystem : IAsyncDisposable
{
    string Name { get; }

    IPAddress Guest { get; }

    void SetRate(LinkRate rate);

    /// <summary>Boots the guest.</summary>
    Task StartAsync(Writer writer, CancellationToken stopping);

    /// <summary>What has to be there before the operator gives the command, and is not timed.</summary>
    Task PrepareAsync(CancellationToken stopping);

    /// <summary>The command: the guest is on the other host when it returns, or where it was.</summary>
    Task<OwnWord> MoveAsync(CancellationToken stopping);

    /// <summary>What is left over is removed. Not timed.</summary>
    Task SettleAsync(CancellationToken stopping);

    Task StopAsync(CancellationToken stopping);

    /// <summary>Reads what has left the link of the guest's present host, in bytes; it goes on reading that link when the guest has moved.</summary>
    Func<ulong> SourceCounter();
}
