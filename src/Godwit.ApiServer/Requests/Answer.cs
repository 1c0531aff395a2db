using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Requests;

/// <summary>The body of a successful answer while it is written: JSON goes in; JSON, compressed JSON or YAML goes out.</summary>
internal sealed class Answer : IAsyncDisposable
{
    /// <summary>From this size on an answer is compressed for a client that takes gzip; below, it costs more than it saves.</summary>
    public const int CompressBytesMin = 128 * 1024;

    private readonly HttpContext http;
    private readonly ArrayBufferWriter<byte>? yamlSource;
    private readonly GZipStream? compressor;

    private Answer(ApiRequest request, BodyFormat format, bool compress)
    {
        http = request.Http;
        if (format == BodyFormat.Yaml)
        {
            yamlSource = new ArrayBufferWriter<byte>(4096);
            Writer = new BufferPipe(yamlSource);
        }
        else if (compress)
        {
            http.Response.Headers.ContentEncoding = "gzip";
            http.Response.Headers.Vary = "Accept-Encoding";
            compressor = new GZipStream(http.Response.Body, CompressionLevel.Fastest, leaveOpen: true);
            Writer = PipeWriter.Create(compressor, new StreamPipeWriterOptions(leaveOpen: true));
        }
        else
        {
            Writer = http.Response.BodyWriter;
        }
    }

    public PipeWriter Writer { get; }

    /// <summary>Begins an answer whose size is about <paramref name="bytesEstimate"/>.</summary>
    public static Answer Begin(ApiRequest request, int code, BodyFormat format, long bytesEstimate)
    {
        request.PrepareAnswer(code, format == BodyFormat.Yaml ? "application/yaml" : "application/json");
        var compress = bytesEstimate >= CompressBytesMin
            && request.Http.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        return new Answer(request, format, compress);
    }

    /// <summary>An answer small enough to be made at once.</summary>
    public static async Task WriteAsync(ApiRequest request, int code, BodyFormat format, Action<IBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>(2048);
        write(buffer);
        if (format == BodyFormat.Json && buffer.WrittenCount < CompressBytesMin)
        {
            request.PrepareAnswer(code, "application/json");
            request.Http.Response.ContentLength = buffer.WrittenCount;
            await request.Http.Response.BodyWriter.WriteAsync(buffer.WrittenMemory, request.Stopping);
            return;
        }

        await using var answer = Begin(request, code, format, buffer.WrittenCount);
        answer.Writer.Write(buffer.WrittenSpan);
        await answer.CompleteAsync(request.Stopping);
    }

    /// <summary>Sends what is left. An answer that is not completed ends as a broken one, which is what it is.</summary>
    public async Task CompleteAsync(CancellationToken stopping)
    {
        if (yamlSource is not null)
        {
            YamlText.Write(yamlSource.WrittenSpan, http.Response.BodyWriter);
        }

        await Writer.FlushAsync(stopping);
        if (compressor is not null)
        {
            await compressor.DisposeAsync();
        }

        await http.Response.BodyWriter.FlushAsync(stopping);
    }

    public async ValueTask DisposeAsync()
    {
        if (compressor is not null)
        {
            await compressor.DisposeAsync();
        }
    }

    /// <summary>A pipe that only gathers: YAML is written from the whole value.</summary>
    private sealed class BufferPipe(ArrayBufferWriter<byte> buffer) : PipeWriter
    {
        public override void Advance(int bytes) => buffer.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => buffer.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => buffer.GetSpan(sizeHint);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
