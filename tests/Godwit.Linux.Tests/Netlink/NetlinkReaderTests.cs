using Godwit.Linux.Netlink;

namespace Godwit.Linux.Tests.Netlink;

public sealed class NetlinkReaderTests
{
    [Fact]
    public void What_is_built_is_read_back()
    {
        var bytes = new NetlinkMessage(16, 5, [1, 2, 3, 4])
            .AddText(3, "br0")
            .AddUInt32(4, 0x01020304)
            .Nest(18, nested => nested.AddByte(1, 9).AddPort(15, 4789))
            .AddUInt64(23, ulong.MaxValue)
            .Finish(77);
        var reader = new NetlinkReader(bytes);
        Assert.True(reader.TryReadMessage(out var message));
        Assert.Equal((16, 5, 77U), (message.Type, message.Flags, message.Sequence));
        Assert.False(reader.TryReadMessage(out _));
        var attributes = new NetlinkReader(message.Body[4..]);
        Assert.True(attributes.TryReadAttribute(out var type, out var value));
        Assert.Equal((3, "br0"), (type, NetlinkReader.Text(value)));
        Assert.True(attributes.TryReadAttribute(out _, out value));
        Assert.Equal(0x01020304U, NetlinkReader.UInt32(value));
        Assert.True(attributes.TryReadAttribute(out type, out value));
        Assert.Equal(18, type);
        var nested = new NetlinkReader(value);
        Assert.True(nested.TryReadAttribute(out _, out var inner));
        Assert.Equal([9], inner.ToArray());
        Assert.True(nested.TryReadAttribute(out _, out inner));
        Assert.Equal([0x12, 0xb5], inner.ToArray());
        Assert.False(nested.TryReadAttribute(out _, out _));
        Assert.True(attributes.TryReadAttribute(out _, out value));
        Assert.Equal(ulong.MaxValue, NetlinkReader.UInt64(value));
        Assert.False(attributes.TryReadAttribute(out _, out _));
    }

    [Fact]
    public void Bytes_that_lie_about_their_lengths_end_the_reading()
    {
        // A fixed seed: any bytes at all, many of them with small lengths that look real.
        var random = new Random(4242);
        var messages = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = new byte[random.Next(0, 96)];
            random.NextBytes(bytes);
            for (var i = 0; i + 1 < bytes.Length; i += 4)
            {
                bytes[i] = (byte)random.Next(0, 48);
                bytes[i + 1] = 0;
                if (i + 3 < bytes.Length)
                {
                    (bytes[i + 2], bytes[i + 3]) = (0, 0);
                }
            }

            var reader = new NetlinkReader(bytes);
            var read = 0;
            while (reader.TryReadMessage(out var message))
            {
                read += NetlinkMessage.HeaderLength + message.Body.Length;
                messages++;
                var attributes = new NetlinkReader(message.Body);
                while (attributes.TryReadAttribute(out _, out var value))
                {
                    Assert.True(value.Length <= message.Body.Length - NetlinkMessage.AttributeHeaderLength);
                }
            }

            Assert.True(read <= bytes.Length);
        }

        Assert.True(messages > 1000, "the bytes never looked like messages");
    }
}
