using System.Collections.Concurrent;
using System.Net.Sockets;
using Godwit.Base;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Peers;

/// <summary>Where a stream goes: the target agent, and the token that it gave out for it.</summary>
internal sealed record StreamTarget(PeerEndpoint Endpoint, string Token, int ChannelsMax);

/// <summary>
/// The source's end of a migration stream: a unix socket to which the source QEMU connects, once per channel. Channels
/// are opened to the target one after the other, in the order in which QEMU made them, because that order is how the
/// QEMU at the other end knows which is which. Disposing it breaks every channel at once and removes the socket.
/// </summary>
internal sealed partial class OutgoingStream : IAsyncDisposable
{
    private const UnixFileMode Everyone =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly PeerDialer dialer;
    private readonly StreamTarget target;
    private readonly string socketPath;
    private readonly Socket listening;
    private readonly CancellationTokenSource closing = new();
    private readonly ConcurrentBag<Task> channels = [];
    private readonly TaskCompletionSource<Exception> failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task accepting;
    private int isDisposed;

    /// <param name="socketPath">In the machine's own folder, which only the machine's user (and root) may enter: the folder is the guard, not the socket's mode.</param>
    /// <exception cref="PeerException">The socket cannot be made.</exception>
    public OutgoingStream(PeerDialer dialer, StreamTarget target, string socketPath)
    {
        this.dialer = dialer;
        this.target = target;
        this.socketPath = socketPath;
        Counters = new StreamCounters(dialer.Services.Time);
        listening = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            File.Delete(socketPath); // Left by an agent that was killed.
            listening.Bind(new UnixDomainSocketEndPoint(socketPath));
            File.SetUnixFileMode(socketPath, Everyone);
            listening.Listen(backlog: 16);
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            listening.Dispose();
            throw new PeerException($"Could not make the socket {socketPath} for the migration stream", error);
        }

        accepting = AcceptLoopAsync();
    }

    public StreamCounters Counters { get; }

    /// <summary>Completes with the first reason why a channel broke; never, if none does.</summary>
    public Task<Exception> Failed => failed.Task;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 1)
        {
            return;
        }

        await closing.CancelAsync();
        listening.Dispose();
        await accepting;
        await Task.WhenAll(channels);
        File.Delete(socketPath);
        closing.Dispose();
    }

    private async Task AcceptLoopAsync()
    {
        await Task.Yield();
        for (var channel = 0; channel < target.ChannelsMax; channel++)
        {
            Socket local;
            try
            {
                local = await listening.AcceptAsync(closing.Token);
            }
            catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }

            try
            {
                var remote = await dialer.OpenStreamAsync(target.Endpoint, target.Token, closing.Token);
                channels.Add(RelayAsync(remote, local, channel));
            }
            catch (Exception error)
            {
                local.Dispose(); // QEMU sees its stream break, and says so in its own status.
                Fail(channel, error);
            }
        }
    }

    private async Task RelayAsync(PeerSocket remote, Socket local, int channel)
    {
        await using (remote)
        using (local)
        {
            try
            {
                await StreamRelay.RunAsync(remote, local, Counters, closing.Token);
            }
            catch (Exception error)
            {
                Fail(channel, error);
            }
        }
    }

    private void Fail(int channel, Exception error)
    {
        if (!closing.IsCancellationRequested && failed.TrySetResult(error))
        {
            Log.ChannelBroke(dialer.Services.Logger, channel, target.Endpoint, ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2021, Level = LogLevel.Warning, Message = "Channel {Channel} of the migration stream to {Target} broke: {Reason}")]
        public static partial void ChannelBroke(ILogger logger, int channel, PeerEndpoint target, string reason);
    }
}
