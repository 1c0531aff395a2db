using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Godwit.Store.Etcd.Wire;
using Microsoft.Extensions.Logging;

namespace Godwit.Store.Etcd;

/// <summary>One member of the etcd, and the connection to it.</summary>
internal sealed class EtcdMember(DnsEndPoint endpoint, GrpcChannel channel) : IDisposable
{
    private CancellationTokenSource left = new();

    public string Name { get; } = EtcdAddress.Text(endpoint);

    public KV.KVClient Keys { get; } = new(channel);

    public Watch.WatchClient Watches { get; } = new(channel);

    /// <summary>Cancelled when this member is given up for another: who listens to it must not go on waiting.</summary>
    public CancellationToken Left => Volatile.Read(ref left).Token;

    /// <remarks>The old source has no timer and no handle; who still holds its token may register with it.</remarks>
    public void Leave() => Interlocked.Exchange(ref left, new CancellationTokenSource()).Cancel();

    public void Dispose()
    {
        channel.Dispose();
        left.Dispose();
    }
}

/// <summary>
/// The members of one etcd: all calls go to one of them until it fails, then to the next. A call is tried again, within a
/// bound of time, while it is certain that nothing was done, or when doing it twice is the same as once. A write whose
/// answer is lost is the caller's to clear up (<see cref="EtcdWriter"/>).
/// </summary>
internal sealed partial class EtcdMembers : IDisposable
{
    private const int AnswerBytesMax = 256 * 1024 * 1024;

    /// <summary>etcd closes connections that are asked for signs of life more often than every 5 s.</summary>
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan PingMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectMax = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    private readonly EtcdStoreOptions options;
    private readonly CancellationTokenSource closing = new(); // Has no timer, so nothing is lost by never disposing of it; calls may come late.
    private readonly EtcdMember[] members;
    private readonly X509Certificate2Collection certificates;
    private int current;
    private ulong cluster;

    /// <exception cref="StoreUnavailableException">A file of the certificates cannot be read, or the way there would not be encrypted.</exception>
    public EtcdMembers(EtcdStoreOptions options)
    {
        this.options = options;
        var isPlain = options is { AuthorityFile: null, CertificateFile: null } && (options.AllowsPlain || options.Address.IsLoopback);
        (var tls, certificates) = isPlain ? (null, []) : EtcdTls.From(options);
        members = [.. options.Address.Members.Select(member => new EtcdMember(member, Connect(member, tls)))];
    }

    public TimeProvider Time => options.Time;

    public EtcdMember Current => members[Volatile.Read(ref current)];

    /// <summary>Cancelled when the store closes.</summary>
    public CancellationToken Closing => closing.Token;

    /// <summary>Makes a call that may be made twice.</summary>
    /// <exception cref="StoreUnavailableException">Refused, or nobody answered in time.</exception>
    /// <exception cref="RpcException">etcd answered that a revision is gone or not there yet.</exception>
    public Task<T> AskAsync<T>(string attempt, Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, TimeSpan callMax, CancellationToken stopping) =>
        CallAsync(attempt, call, callMax, isWrite: false, stopping);

    /// <summary>Makes a call that is made once.</summary>
    /// <exception cref="StoreUnavailableException">Certainly not done.</exception>
    /// <exception cref="LostAnswerException">Perhaps done.</exception>
    public Task<T> WriteAsync<T>(string attempt, Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, CancellationToken stopping) =>
        CallAsync(attempt, call, options.CallMax, isWrite: true, stopping);

    /// <summary>Goes on with the next member, unless somebody else already has.</summary>
    public void MoveOn(EtcdMember failed)
    {
        var at = Volatile.Read(ref current);
        if (members[at] == failed)
        {
            Interlocked.CompareExchange(ref current, (at + 1) % members.Length, at);
            failed.Leave();
        }
    }

    /// <summary>Holds every answer to the etcd that answered first: another one's revisions mean nothing here.</summary>
    /// <exception cref="StoreUnavailableException">It is another etcd, or one that was restored.</exception>
    public void CheckCluster(ResponseHeader header)
    {
        var known = Interlocked.CompareExchange(ref cluster, header.ClusterId, 0);
        if (known != 0 && known != header.ClusterId)
        {
            throw new StoreUnavailableException(
                StoreFault.NotOurs,
                $"{options.Address} answers as etcd {header.ClusterId:x}, and was {known:x} before: its members are of two clusters, or it was restored from a snapshot. Check the addresses, and start the server again");
        }
    }

    /// <summary>Begins a call, which may be the one that comes after the store was closed: its connection is disposed of then, and says so in words of its own.</summary>
    /// <exception cref="RpcException">The store is closed.</exception>
    public TCall Begin<TCall>(Func<TCall> call)
    {
        try
        {
            return call();
        }
        catch (ObjectDisposedException error) when (closing.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "the store is closed", error));
        }
    }

    /// <summary>Ends all calls.</summary>
    public void Close() => closing.Cancel();

    public void Dispose()
    {
        foreach (var member in members)
        {
            member.Dispose();
        }

        foreach (var certificate in certificates)
        {
            certificate.Dispose();
        }
    }

    private static GrpcChannel Connect(DnsEndPoint member, SslClientAuthenticationOptions? tls)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectMax,
            EnableMultipleHttp2Connections = true, // A member lets each connection carry so many streams.
            KeepAlivePingDelay = PingDelay,
            KeepAlivePingTimeout = PingMax,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests, // etcd closes idle connections that ask at all.
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            UseProxy = false,
        };
        if (tls is not null)
        {
            handler.SslOptions = tls;
        }

        var url = new UriBuilder(tls is null ? Uri.UriSchemeHttp : Uri.UriSchemeHttps, member.Host, member.Port).Uri;
        return GrpcChannel.ForAddress(url, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = AnswerBytesMax, MaxSendMessageSize = null });
    }

    private async Task<T> CallAsync<T>(string attempt, Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, TimeSpan callMax, bool isWrite, CancellationToken stopping)
    {
        var started = options.Time.GetTimestamp();
        var pause = PauseMin;
        for (var tries = 1; ; tries++)
        {
            stopping.ThrowIfCancellationRequested();
            var member = Current;
            RpcException failure;
            try
            {
                return await OnceAsync(member, call, callMax, stopping);
            }
            catch (RpcException error)
            {
                stopping.ThrowIfCancellationRequested();
                failure = error;
            }

            if (closing.IsCancellationRequested)
            {
                throw StoreUnavailableException.ForClosed(options.Address.ToString(), isWrite);
            }

            var end = EtcdFaults.Judge(failure);
            if (end == CallEnd.Answered)
            {
                throw failure;
            }

            if (end == CallEnd.Refused)
            {
                throw EtcdFaults.Translate(attempt, options.Address, failure);
            }

            MoveOn(member);
            Log.Failed(options.Logger, member.Name, attempt, failure.Status.Detail);
            if (isWrite && end == CallEnd.Unknown)
            {
                throw new LostAnswerException(failure);
            }

            if (options.Time.GetElapsedTime(started) > options.AttemptsMax)
            {
                throw EtcdFaults.Translate(attempt, options.Address, failure);
            }

            if (tries % members.Length == 0)
            {
                await PauseAsync(pause, stopping);
                pause = pause * 2 < PauseMax ? pause * 2 : PauseMax;
            }
        }
    }

    private async Task<T> OnceAsync<T>(EtcdMember member, Func<EtcdMember, CallOptions, AsyncUnaryCall<T>> call, TimeSpan callMax, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(callMax, options.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, closing.Token, late.Token);
        using var under = Begin(() => call(member, new CallOptions(cancellationToken: bound.Token)));
        return await under.ResponseAsync;
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, closing.Token);
        await Task.Delay(pause, options.Time, bound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.ThrowIfCancellationRequested();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2300, Level = LogLevel.Debug, Message = "etcd's member {Member} did not {Attempt}: {Detail}")]
        public static partial void Failed(ILogger logger, string member, string attempt, string detail);
    }
}
