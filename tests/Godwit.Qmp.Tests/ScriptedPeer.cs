using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Godwit.Qmp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Qmp.Tests;

/// <summary>The other end of a QMP session in memory, which says exactly what a test tells it to.</summary>
internal sealed class ScriptedPeer : IAsyncDisposable
{
    public const string Greeting = """{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "test"}, "capabilities": ["oob"]}}""";

    private readonly Pipe toClient = new();
    private readonly Pipe toPeer = new(new PipeOptions(pauseWriterThreshold: 1 << 20));

    public ScriptedPeer()
    {
        ClientStream = new DuplexStream(toClient.Reader.AsStream(), toPeer.Writer.AsStream());
        Requests = new StreamReader(toPeer.Reader.AsStream(), Encoding.UTF8);
    }

    public Stream ClientStream { get; }

    private StreamReader Requests { get; }

    public static CancellationToken Stopping => TestContext.Current.CancellationToken;

    /// <summary>A connection that has been greeted, and this peer ready for its first command.</summary>
    public async Task<QmpConnection> ConnectAsync(QmpOptions? options = null, TimeProvider? clock = null)
    {
        var opening = QmpConnection.OpenAsync(ClientStream, options ?? new QmpOptions(), clock ?? TimeProvider.System, NullLogger.Instance, Stopping);
        await SayAsync(Greeting);
        var negotiation = await HearAsync();
        await SayAsync($$"""{"return": {}, "id": {{negotiation.Id}}}""");
        return await opening;
    }

    public Task SayAsync(string line) => SayBytesAsync(Encoding.UTF8.GetBytes(line + "\r\n"));

    public async Task SayBytesAsync(byte[] bytes) => await toClient.Writer.WriteAsync(bytes, Stopping);

    public async Task HangUpAsync() => await toClient.Writer.CompleteAsync();

    /// <summary>The next request of the client, whole.</summary>
    public async Task<Request> HearAsync()
    {
        var line = await HearLineAsync();
        var json = JsonElement.Parse(line);
        var outOfBand = json.TryGetProperty("exec-oob", out var name);
        return new Request(json.GetProperty("id").GetInt64(), outOfBand ? name.GetString()! : json.GetProperty("execute").GetString()!, outOfBand, line);
    }

    public async Task<string> HearLineAsync() => await Requests.ReadLineAsync(Stopping) ?? throw new InvalidOperationException("The client hung up.");

    public async ValueTask DisposeAsync()
    {
        await toClient.Writer.CompleteAsync();
        await toPeer.Reader.CompleteAsync();
    }

    internal sealed record Request(long Id, string Command, bool OutOfBand, string Line);

    private sealed class DuplexStream(Stream input, Stream output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() => output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => output.WriteAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                input.Dispose();
                output.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
