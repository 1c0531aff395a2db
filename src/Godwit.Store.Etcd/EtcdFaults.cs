using System.Net.Http;
using Grpc.Core;

namespace Godwit.Store.Etcd;

/// <summary>What a failed call means for what was asked.</summary>
internal enum CallEnd
{
    /// <summary>etcd answered: the revision asked for is compacted, or not there yet.</summary>
    Answered,

    /// <summary>etcd will not do it, and another member would not either.</summary>
    Refused,

    /// <summary>Certainly not done; another member, or a later attempt, may do it.</summary>
    NotDone,

    /// <summary>The answer was lost: it may have been done, and may still be.</summary>
    Unknown,
}

/// <summary>
/// The one place where an error of gRPC or etcd becomes a fault of the store. The texts are etcd's own: several of its
/// errors share a status code and mean opposite things for a write.
/// </summary>
internal static class EtcdFaults
{
    private const string Compacted = "required revision has been compacted";
    private const string Future = "required revision is a future revision";
    private const string NoSpace = "database space exceeded";
    private const string TooLarge = "request is too large";
    private const string NoLeader = "etcdserver: no leader";
    private const string Dropped = "raft proposal dropped";
    private const string TooMany = "etcdserver: too many requests";
    private const string CorruptCluster = "corrupt cluster";

    /// <summary>What the client's library says of an answer beyond its bound.</summary>
    private const string AnswerTooLarge = "exceeds the maximum";

    public static bool IsCompacted(RpcException error) => Says(error, Compacted);

    public static bool IsFuture(RpcException error) => Says(error, Future);

    public static bool IsAnswerTooLarge(RpcException error) => error.StatusCode == StatusCode.ResourceExhausted && Says(error, AnswerTooLarge);

    public static CallEnd Judge(RpcException error) => error.StatusCode switch
    {
        _ when IsCompacted(error) || IsFuture(error) || IsAnswerTooLarge(error) => CallEnd.Answered,
        _ when Says(error, NoSpace) || Says(error, TooLarge) || Says(error, CorruptCluster) => CallEnd.Refused,
        _ when Says(error, NoLeader) || Says(error, Dropped) || Says(error, TooMany) || NeverConnected(error) => CallEnd.NotDone,
        StatusCode.InvalidArgument or StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.Unimplemented or StatusCode.FailedPrecondition => CallEnd.Refused,
        _ => CallEnd.Unknown,
    };

    public static StoreUnavailableException Translate(string attempt, EtcdAddress address, RpcException error, bool mayHaveHappened = false)
    {
        var fault = FaultOf(error);
        return new StoreUnavailableException(fault, $"Cannot {attempt} {address}: {Explain(fault)}", error, mayHaveHappened);
    }

    private static StoreFault FaultOf(RpcException error) => error.StatusCode switch
    {
        _ when Says(error, NoSpace) => StoreFault.DiskFull,
        _ when Says(error, CorruptCluster) => StoreFault.Corrupt,
        StatusCode.PermissionDenied or StatusCode.Unauthenticated => StoreFault.AccessDenied,
        StatusCode.InvalidArgument or StatusCode.Unimplemented or StatusCode.FailedPrecondition => StoreFault.NotOurs,
        _ => StoreFault.Unreachable,
    };

    private static string Explain(StoreFault fault) => fault switch
    {
        StoreFault.DiskFull => "its quota of space is used up. Compact and defragment it, or raise its quota, and disarm its alarm (etcdctl alarm disarm); reading goes on",
        StoreFault.Corrupt => "its members disagree about their data. Restore it from a snapshot",
        StoreFault.AccessDenied => "it does not let us in. Check the certificate and key that are shown to it, and the role of their user there",
        StoreFault.NotOurs => "it refuses what is asked. Is it an etcd of version 3.4 or later?",
        _ => "no member answers, or the members cannot agree. Check that most of them run, and that their addresses and certificates are right",
    };

    private static bool Says(RpcException error, string text) => error.Status.Detail.Contains(text, StringComparison.Ordinal);

    /// <summary>The request cannot have reached anybody, for there was no connection.</summary>
    private static bool NeverConnected(RpcException error)
    {
        for (var cause = error.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.VersionNegotiationError })
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>A write was sent, and nobody said how it ended.</summary>
internal sealed class LostAnswerException(RpcException cause) : Exception("The answer to a write was lost.", cause)
{
    public RpcException Rpc { get; } = cause;
}
