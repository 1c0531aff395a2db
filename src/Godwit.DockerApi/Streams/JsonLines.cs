using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Godwit.Builder;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// An answer that is a JSON object a line, each sent as soon as it is written. Once it has begun an error can be no status
/// code any more: then it is the last line.
/// </summary>
internal sealed class JsonLines(Exchange exchange) : IDisposable
{
    private static readonly byte[] LineEnd = "\r\n"u8.ToArray();

    private readonly SemaphoreSlim turn = new(1, 1);

    public async Task WriteAsync<T>(T value, JsonTypeInfo<T> type)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(value, type), .. LineEnd];
        await turn.WaitAsync(exchange.Stopping);
        try
        {
            if (!exchange.Http.Response.HasStarted)
            {
                await exchange.BeginAsync(Exchange.JsonType);
            }

            await exchange.Output.WriteAsync(line, exchange.Stopping);
            await exchange.Output.FlushAsync(exchange.Stopping);
        }
        finally
        {
            turn.Release();
        }
    }

    public Task WriteAsync(ProgressLine line) => WriteAsync(line, DockerJson.Default.ProgressLine);

    /// <summary>Does work that writes lines. What it throws after the first line becomes the last one.</summary>
    public async Task CarryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception error) when (exchange.Http.Response.HasStarted && !exchange.Stopping.IsCancellationRequested)
        {
            var words = DockerErrors.Describe(error).Words ?? error.Message;
            await WriteAsync(new ProgressLine { ErrorDetail = new ErrorDetail(words) { Code = (error as BuildException)?.ExitCode }, Error = words });
        }
    }

    public void Dispose() => turn.Dispose();
}
