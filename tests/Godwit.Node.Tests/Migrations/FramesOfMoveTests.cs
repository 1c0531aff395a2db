using System.Text.Json;
using CsCheck;
using Godwit.Migration.Protocol;
using Godwit.Node.Migrations;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Migrations;

public sealed class FramesOfMoveTests
{
    private static readonly MoveId Move = new(Guid.Parse("7c1a3c54-2f0e-4a42-9c39-4f1d7c0e8a11"));

    [Fact]
    public void Batches_keep_the_order_and_fit_into_messages() => Gen.Int[0, 50_000].Array[0, 40].Sample(lengths =>
    {
        IReadOnlyList<byte[]> frames = [.. lengths.Select((length, index) => new byte[length + 1].Select((_, at) => at == 0 ? (byte)index : (byte)0xff).ToArray())];
        var batches = FramesOfMove.Batch(Move, 1, frames).ToList();
        Assert.Equal(
            frames.Where(frame => frame.Length <= FramesOfMove.BatchBytesMax).Select(frame => (frame[0], frame.Length)),
            batches.SelectMany(batch => batch.Frames).Select(frame => (frame[0], frame.Length)));
        Assert.All(batches, batch =>
        {
            Assert.Equal((Move.Value, 1), (batch.Move, batch.Nic));
            Assert.NotEmpty(batch.Frames);
            var frame = new PeerFrame { Id = long.MaxValue, Method = MoveMethods.Frames.Name, Body = JsonSerializer.SerializeToElement(batch, MoveMethods.Frames.RequestType) };
            Assert.NotEmpty(PeerFrameCodec.Encode(frame, PeerJson.Default.PeerFrame));
        });
    });

    [Fact]
    public void What_was_read_from_the_wire_is_what_was_sent()
    {
        var sent = new MoveFrames(Move.Value, 0, [[1, 2, 3], [], [0xff]]);
        var read = JsonSerializer.Deserialize(JsonSerializer.Serialize(sent, MoveMethods.Frames.RequestType), MoveMethods.Frames.RequestType)!;
        Assert.Equal(sent.Frames, read.Frames);
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize("""{"move":"7c1a3c54-2f0e-4a42-9c39-4f1d7c0e8a11","nic":0,"frames":[7]}""", MoveMethods.Frames.RequestType));
    }
}
