using System.Net;
using CsCheck;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;

namespace Godwit.Networks.Tests.Guests;

public sealed class FramesTests
{
    private static readonly MacAddress Ours = MacAddress.Parse("02:00:00:00:00:0a");
    private static readonly MacAddress Theirs = MacAddress.Parse("02:00:00:00:00:0b");
    private static readonly IPAddress OurAddress = IPAddress.Parse("10.0.0.10");
    private static readonly IPAddress TheirAddress = IPAddress.Parse("10.0.0.11");

    [Fact]
    public void Arp_is_read_as_it_was_written()
    {
        Assert.True(Frames.TryReadArp(Frames.ArpRequest(Ours, OurAddress, TheirAddress, MacAddress.Broadcast), out var request));
        Assert.Equal(new ArpPacket(true, Ours, OurAddress, default, TheirAddress), request);
        Assert.True(Frames.TryReadArp(Frames.ArpReply(Ours, OurAddress, Theirs, TheirAddress), out var reply));
        Assert.Equal(new ArpPacket(false, Ours, OurAddress, Theirs, TheirAddress), reply);
        Assert.True(Frames.TryReadArp(Frames.GratuitousReply(Ours, OurAddress), out var unasked));
        Assert.Equal((OurAddress, OurAddress), (unasked.SenderAddress, unasked.TargetAddress));
    }

    [Fact]
    public void An_echo_request_has_sound_checksums_and_its_reply_is_read()
    {
        var frame = Frames.EchoRequest(Ours, OurAddress, Theirs, TheirAddress, 0xbeef, 0x1234);
        Assert.Equal(0, Frames.Checksum(frame.AsSpan(14, 20)));
        Assert.Equal(0, Frames.Checksum(frame.AsSpan(34)));
        Assert.False(Frames.TryReadEchoReply(frame, out _));
        frame[34] = 0; // What the other end makes of it, but for addresses and checksum.
        Assert.True(Frames.TryReadEchoReply(frame, out var reply));
        Assert.Equal(new EchoReply(OurAddress, 0xbeef, 0x1234), reply);
    }

    [Fact]
    public void Any_bytes_are_read_without_harm() => Gen.Byte.Array[0, 128].Sample(bytes =>
    {
        if (bytes.Length > 40)
        {
            // Half of them look like IPv4 or ARP, so that the readers go further than the type.
            (bytes[12], bytes[13]) = (8, (byte)(bytes[13] & 1) == 0 ? (byte)0 : (byte)6);
            bytes[14] = (byte)(0x40 | bytes[14] & 0x0f);
            bytes[23] = 1;
        }

        Frames.TryReadArp(bytes, out _);
        Frames.TryReadEchoReply(bytes, out _);
    });
}
