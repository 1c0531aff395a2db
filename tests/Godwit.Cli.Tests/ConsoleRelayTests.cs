using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using Godwit.Cli.Consoles;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Cli.Tests;

/// <summary>A console over a real WebSocket whose other end, the guest, is in the test's hands.</summary>
public sealed class ConsoleRelayTests : IAsyncDisposable
{
    private readonly Pipe toGuest = new();
    private readonly Pipe fromGuest = new();
    private readonly Pipe typed = new();
    private readonly Pipe shown = new();
    private readonly FakeTimeProvider clock = new();
    private readonly WebSocket near;
    private readonly WebSocket guest;

    public ConsoleRelayTests()
    {
        near = WebSocket.CreateFromStream(new Duplex(fromGuest.Reader, toGuest.Writer), new WebSocketCreationOptions { IsServer = false });
        guest = WebSocket.CreateFromStream(new Duplex(toGuest.Reader, fromGuest.Writer), new WebSocketCreationOptions { IsServer = true });
    }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        near.Dispose();
        guest.Dispose();
        await shown.Writer.CompleteAsync();
    }

    [Fact]
    public async Task Bytes_go_both_ways_unchanged_until_the_escape_byte_which_the_guest_never_sees()
    {
        var ended = Relay(escape: true).RunAsync(Stopping);
        await TypeAsync([.. "ls\r"u8, 0x1b, 0x5b, 0x41, 0x03]);
        Assert.Equal([.. "ls\r"u8, 0x1b, 0x5b, 0x41, 0x03], await GuestReadsAsync(7));
        await guest.SendAsync(new byte[] { 0xff, 0x00, 0x1d, 0x07 }, WebSocketMessageType.Binary, true, Stopping);
        Assert.Equal([0xff, 0x00, 0x1d, 0x07], await ShownAsync(4));

        await TypeAsync([.. "bye"u8, ConsoleRelay.ControlRightBracket, .. "not for the guest"u8]);
        Assert.Equal(ConsoleEnd.Escaped, await ended);
        Assert.Equal("bye"u8.ToArray(), await GuestReadsAsync(3));
    }

    [Fact]
    public async Task In_a_pipe_the_end_of_the_input_waits_for_the_answer_and_ends_when_the_guest_falls_silent()
    {
        var ended = Relay(linger: TimeSpan.FromSeconds(2)).RunAsync(Stopping);
        await TypeAsync("uptime\n"u8.ToArray());
        await typed.Writer.CompleteAsync();
        await GuestReadsAsync(7);
        Assert.False(ended.IsCompleted);
        await guest.SendAsync("up 3 days\r\n"u8.ToArray(), WebSocketMessageType.Binary, true, Stopping);
        Assert.Equal("up 3 days\r\n", Encoding.ASCII.GetString(await ShownAsync(11)));

        while (!ended.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(2));
            await Task.Yield();
        }

        Assert.Equal(ConsoleEnd.Silent, await ended);
    }

    [Fact]
    public async Task The_escape_byte_in_a_pipe_is_data()
    {
        var ended = Relay(linger: TimeSpan.FromSeconds(2)).RunAsync(Stopping);
        await TypeAsync([0x61, ConsoleRelay.ControlRightBracket, 0x62]);
        Assert.Equal([0x61, ConsoleRelay.ControlRightBracket, 0x62], await GuestReadsAsync(3));
        await guest.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Stopping);
        Assert.Equal(ConsoleEnd.Closed, await ended);
    }

    [Fact]
    public async Task A_connection_that_breaks_ends_the_session()
    {
        var ended = Relay(escape: true).RunAsync(Stopping);
        await fromGuest.Writer.CompleteAsync();
        Assert.Equal(ConsoleEnd.Closed, await ended);
    }

    [Fact]
    public async Task An_interrupt_ends_the_session_as_such()
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        var ended = Relay(linger: TimeSpan.FromSeconds(2)).RunAsync(interrupt.Token);
        await interrupt.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ended);
    }

    private ConsoleRelay Relay(bool escape = false, TimeSpan? linger = null) =>
        new(near, typed.Reader.AsStream(), shown.Writer.AsStream(), clock) { EscapeByte = escape ? ConsoleRelay.ControlRightBracket : null, Linger = linger };

    private async Task TypeAsync(byte[] bytes) => await typed.Writer.WriteAsync(bytes, Stopping);

    private async Task<byte[]> GuestReadsAsync(int count)
    {
        var read = new List<byte>();
        var buffer = new byte[1024];
        while (read.Count < count)
        {
            var received = await guest.ReceiveAsync(buffer.AsMemory(), Stopping);
            read.AddRange(buffer.AsSpan(0, received.Count));
        }

        return [.. read];
    }

    private async Task<byte[]> ShownAsync(int count)
    {
        var read = await shown.Reader.ReadAtLeastAsync(count, Stopping);
        var bytes = System.Buffers.BuffersExtensions.ToArray(read.Buffer);
        shown.Reader.AdvanceTo(read.Buffer.End);
        return bytes;
    }

    /// <summary>Two pipes as one stream.</summary>
    private sealed class Duplex(PipeReader reader, PipeWriter writer) : Stream
    {
        private readonly Stream input = reader.AsStream();
        private readonly Stream output = writer.AsStream();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => output.WriteAsync(buffer, cancellationToken);
    }
}
