using System.Runtime.CompilerServices;
using System.Text;
using Godwit.Containers;

namespace Godwit.DockerApi.Streams;

/// <summary>The line to a program that could not be started: it prints why, and ends.</summary>
internal sealed class FailedSession(string words) : IProcessSession
{
    public async IAsyncEnumerable<OutputChunk> ReadOutputAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        await Task.Yield();
        stopping.ThrowIfCancellationRequested();
        yield return new OutputChunk(OutputStream.Standard, Encoding.UTF8.GetBytes(words));
    }

    public ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping) => throw new IOException("the program was not started");

    public ValueTask EndInputAsync(CancellationToken stopping) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
