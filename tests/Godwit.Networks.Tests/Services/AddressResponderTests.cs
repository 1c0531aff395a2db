using System.Net;
using CsCheck;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Godwit.Networks.Services;

namespace Godwit.Networks.Tests.Services;

public sealed class AddressResponderTests
{
    private static readonly MacAddress Ours = MacAddress.Parse("02:00:00:00:00:0a");
    private static readonly MacAddress Client = MacAddress.Parse("02:00:00:00:00:0b");
    private static readonly MacAddress Third = MacAddress.Parse("02:00:00:00:00:0c");
    private static readonly IPAddress ClientAddress = IPAddress.Parse("192.0.2.11");
    private static readonly IPAddress Announced = IPAddress.Parse("192.0.2.200");
    private static readonly HashSet<IPAddress> Addresses = [Announced];

    [Fact]
    public void A_question_for_an_address_is_answered_to_the_one_who_asked_also_when_it_only_checks()
    {
        foreach (var to in new[] { MacAddress.Broadcast, Ours })
        {
            Assert.Equal(Frames.ArpReply(Ours, Announced, Client, ClientAddress), AddressResponder.AnswerTo(Frames.ArpRequest(Client, ClientAddress, Announced, to), Ours, Addresses));
        }

        // Somebody who wants to take the address, and asks first whether it is free (RFC 5227), must hear that it is not.
        Assert.Equal(Frames.ArpReply(Ours, Announced, Client, IPAddress.Any), AddressResponder.AnswerTo(Frames.ArpRequest(Client, IPAddress.Any, Announced, MacAddress.Broadcast), Ours, Addresses));
    }

    [Fact]
    public void What_is_no_question_to_us_gets_no_answer()
    {
        byte[][] frames =
        [
            Frames.ArpRequest(Client, ClientAddress, IPAddress.Parse("192.0.2.201"), MacAddress.Broadcast), // Another's address.
            Frames.ArpRequest(Client, ClientAddress, Announced, Third), // Sent to another, and heard.
            Frames.ArpReply(Client, ClientAddress, Ours, Announced),
            Frames.GratuitousRequest(Third, Announced), // Another announces it: two of us would answer each other for ever.
            Frames.GratuitousReply(Third, Announced),
            Frames.ArpRequest(Ours, ClientAddress, Announced, MacAddress.Broadcast), // Our own, come back.
            Frames.ArpRequest(MacAddress.Broadcast, ClientAddress, Announced, MacAddress.Broadcast), // It would be answered to all.
        ];
        Assert.All(frames, frame => Assert.Null(AddressResponder.AnswerTo(frame, Ours, Addresses)));
    }

    [Fact]
    public void Any_bytes_are_heard_without_harm() => Gen.Byte.Array[0, 64].Sample(bytes => AddressResponder.AnswerTo(bytes, Ours, Addresses) is null);
}
