using System.Buffers.Binary;
using static Godwit.Linux.Netlink.QueueAttribute;

namespace Godwit.Linux.Netlink;

/// <summary>A token bucket on what a device sends (tc-tbf(8)).</summary>
/// <param name="RateBytesPerSecond">What goes out over time.</param>
/// <param name="BurstBytes">What may go out at once; also the largest segment that is not cut up.</param>
/// <param name="QueueBytes">What waits at most; the rest is dropped.</param>
public sealed record TokenBucket(ulong RateBytesPerSecond, uint BurstBytes, uint QueueBytes);

public sealed partial class RouteSocket
{
    /// <summary>Bounds what the device sends, in place of whatever queue it had.</summary>
    public void ReplaceQueue(int linkIndex, TokenBucket bucket)
    {
        // struct tc_tbf_qopt: two struct tc_ratespec of 12 bytes (line layer at 1, rate at 8), then limit, buffer, mtu.
        var parameters = new byte[36];
        parameters[1] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(parameters.AsSpan(8), (uint)Math.Min(bucket.RateBytesPerSecond, uint.MaxValue));
        BinaryPrimitives.WriteUInt32LittleEndian(parameters.AsSpan(24), bucket.QueueBytes);
        var message = new NetlinkMessage(RouteMessage.RTM_NEWQDISC, ReplaceFlags, QueueHeader(linkIndex))
            .AddText(TCA_KIND, "tbf")
            .Nest(TCA_OPTIONS, options =>
            {
                options.Add(TCA_TBF_PARMS, parameters).AddUInt32(TCA_TBF_BURST, bucket.BurstBytes);
                if (bucket.RateBytesPerSecond > uint.MaxValue)
                {
                    options.AddUInt64(TCA_TBF_RATE64, bucket.RateBytesPerSecond);
                }
            });
        socket.Request(message, $"bound device {linkIndex} to {bucket.RateBytesPerSecond} bytes/s");
    }

    /// <summary>Takes the bound away. Idempotent.</summary>
    public void DeleteQueue(int linkIndex) =>
        TryRequest(new NetlinkMessage(RouteMessage.RTM_DELQDISC, ChangeFlags, QueueHeader(linkIndex)), $"take the bound off device {linkIndex}", Errno.ENOENT);

    /// <summary>The kernel's <c>struct tcmsg</c>, for the root queue.</summary>
    private static byte[] QueueHeader(int linkIndex)
    {
        var header = new byte[20];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), linkIndex);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), TC_H_ROOT);
        return header;
    }
}
