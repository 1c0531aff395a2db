using System.Buffers;
using Godwit.Containers;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// Takes output to a client: chunks that are there together leave together, and none waits for another. Who does not read
/// holds up the reading of the output and nothing else; what is held of it is at most two buffers.
/// </summary>
internal static class OutputPump
{
    private const int BufferBytes = 64 << 10;

    public static async Task RunAsync(IAsyncEnumerable<OutputChunk> output, OutputFrames frames, Stream client, CancellationToken stopping)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        var filled = 0;
        var chunks = output.GetAsyncEnumerator(stopping);
        try
        {
            while (true)
            {
                var next = chunks.MoveNextAsync();
                if (!next.IsCompleted && filled > 0)
                {
                    await SendAsync(client, buffer.AsMemory(0, filled), stopping);
                    filled = 0;
                }

                if (!await next)
                {
                    break;
                }

                var chunk = chunks.Current;
                if (frames.Measure(chunk) > buffer.Length - filled && filled > 0)
                {
                    await SendAsync(client, buffer.AsMemory(0, filled), stopping);
                    filled = 0;
                }

                if (frames.Measure(chunk) <= buffer.Length)
                {
                    filled += frames.Write(chunk, buffer.AsSpan(filled));
                    continue;
                }

                var large = new byte[frames.Measure(chunk)];
                frames.Write(chunk, large);
                await SendAsync(client, large, stopping);
            }

            await SendAsync(client, buffer.AsMemory(0, filled), stopping);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            await chunks.DisposeAsync();
        }
    }

    private static async Task SendAsync(Stream client, ReadOnlyMemory<byte> bytes, CancellationToken stopping)
    {
        if (!bytes.IsEmpty)
        {
            await client.WriteAsync(bytes, stopping);
            await client.FlushAsync(stopping);
        }
    }
}
