using System.Net;
using CsCheck;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;

namespace Godwit.Networks.Tests.Guests;

public sealed class KeptFramesTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void While_it_watches_only_what_is_new_enough_is_kept()
    {
        var kept = Watching();
        kept.Add(At(0), [1]);
        kept.Add(At(50), [2]);
        kept.Add(At(120), [3]);
        Assert.Equal([[2], [3]], kept.Take());
    }

    [Fact]
    public void From_the_stop_on_all_is_kept_and_nothing_from_before_it()
    {
        var kept = Watching();
        kept.Add(At(10), [1]);
        kept.Add(At(20), [2]);
        kept.Hold(At(20));
        kept.Add(At(19), [9]);
        kept.Add(At(900), [3]);
        Assert.Equal([[2], [3]], kept.Take());
    }

    [Fact]
    public void Only_the_first_word_of_the_stop_counts_until_the_guest_has_gone_on()
    {
        var kept = Watching();
        kept.Hold(At(10));
        kept.Add(At(20), [1]);
        kept.Hold(At(30));
        Assert.Equal(1, kept.Count);
        kept.Watch();
        Assert.Equal(0, kept.Count);
        kept.Add(At(40), [2]);
        kept.Hold(At(41));
        kept.Add(At(42), [3]);
        Assert.Equal([[3]], kept.Take());
    }

    [Fact]
    public void What_is_taken_is_kept_no_more()
    {
        var kept = Watching();
        kept.Hold(At(0));
        kept.Add(At(1), [1]);
        Assert.Single(kept.Take());
        Assert.Empty(kept.Take());
        kept.Add(At(2), [2]);
        Assert.Equal([[2]], kept.Take());
    }

    [Fact]
    public void It_never_keeps_more_than_its_bound_the_newest_before_the_stop_and_the_oldest_after_it() => Gen.Select(Gen.Int[0, 40].Array[1, 60], Gen.Bool).Sample((sizes, held) =>
    {
        var kept = new KeptFrames(TimeSpan.FromHours(1), bytesMax: 100);
        if (held)
        {
            kept.Hold(At(0));
        }

        foreach (var (size, index) in sizes.Select((size, index) => (size, index)))
        {
            kept.Add(At(index), [(byte)index, .. new byte[size]]);
        }

        var frames = kept.Take();
        var numbers = frames.Select(frame => (int)frame[0]).ToList();
        Assert.InRange(frames.Sum(frame => frame.Length), 0, 100);
        Assert.Equal(numbers.Order(), numbers);
        Assert.Contains(held ? 0 : sizes.Length - 1, numbers);
    });

    [Fact]
    public void Only_what_is_for_the_guest_is_its_own()
    {
        var (guest, other) = (MacAddress.Parse("02:00:00:00:00:01"), MacAddress.Parse("02:00:00:00:00:02"));
        var (guestAddress, otherAddress) = (IPAddress.Parse("10.77.0.5"), IPAddress.Parse("10.77.0.6"));
        Assert.True(IsFor(Frames.EchoRequest(other, otherAddress, guest, guestAddress, 1, 1)));
        Assert.True(IsFor(Frames.ArpRequest(other, otherAddress, guestAddress, MacAddress.Broadcast)));
        Assert.False(IsFor(Frames.ArpRequest(guest, guestAddress, otherAddress, MacAddress.Broadcast)));
        Assert.False(IsFor(Frames.GratuitousReply(other, otherAddress)));
        Assert.False(IsFor(Frames.EchoRequest(guest, guestAddress, other, otherAddress, 1, 1)));
        Assert.False(IsFor([]));

        bool IsFor(byte[] frame) => FrameKeeper.IsFor(frame, guest, guestAddress);
    }

    private static KeptFrames Watching() => new(TimeSpan.FromMilliseconds(100), bytesMax: 1000);

    private static DateTimeOffset At(double ms) => Start.AddMilliseconds(ms);
}
