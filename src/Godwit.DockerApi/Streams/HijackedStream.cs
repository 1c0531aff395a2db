using System.Text;
using Godwit.Containers;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Streams;

/// <summary>A program at the other end of a hijacked connection.</summary>
/// <param name="Session">The line to it.</param>
/// <param name="Reads">The client's bytes are its standard input.</param>
/// <param name="Detach">Keys that end the connection from the client's side; null without a terminal.</param>
internal sealed record HijackedProgram(IProcessSession Session, bool Reads, DetachKeys? Detach)
{
    /// <summary>Whether the client wants to see this stream.</summary>
    public Func<OutputStream, bool> Shows { get; init; } = _ => true;
}

/// <summary>
/// The connection of an attach or exec, once it carries a program's bytes in place of HTTP: the client's to standard input,
/// output to the client. A client that asked to upgrade is told 101, one that did not 200; the connection is bare after
/// either.
/// </summary>
internal static class HijackedStream
{
    private const int InputBytes = 32 << 10;

    /// <summary>Carries until output ends, the client detaches, or it has gone.</summary>
    public static async Task CarryAsync(Exchange exchange, HijackedProgram program, OutputFrames frames) =>
        await CarryAsync(exchange, await OpenAsync(exchange, frames), program, frames);

    /// <summary>The same, over a connection that was opened before.</summary>
    public static async Task CarryAsync(Exchange exchange, (Stream Input, Stream Output) line, HijackedProgram program, OutputFrames frames)
    {
        var (input, output) = line;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(exchange.Stopping);
        var feeding = program.Reads ? FeedAsync(input, program, over) : Task.CompletedTask;
        try
        {
            var shown = ShowAsync(program, over.Token);
            await OutputPump.RunAsync(shown, frames, output, over.Token);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested && !exchange.Stopping.IsCancellationRequested)
        {
            // Detached by its keys: the answer ends here, the program goes on.
        }
        finally
        {
            await over.CancelAsync();
            await feeding;
        }
    }

    /// <summary>
    /// Takes the connection and sends the answer's head. Before a program is started that may print at once: some clients (Docker's bindings for Python) lose bytes that
    /// come together with the head. From here on a failure has no status any more.
    /// </summary>
    public static async Task<(Stream Input, Stream Output)> OpenAsync(Exchange exchange, OutputFrames frames)
    {
        var line = exchange.Http.Features.Get<ClientLine>() ?? throw new InvalidOperationException("a connection without a line cannot be hijacked");
        var upgrades = exchange.Http.Request.Headers.Upgrade.Count > 0;
        var head = $"HTTP/1.1 {(upgrades ? "101 UPGRADED" : "200 OK")}\r\nContent-Type: {frames.ContentType(exchange.Version)}\r\n{(upgrades ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "")}\r\n";
        exchange.Http.Response.Headers.Connection = "close";
        var (input, output) = line.Hijack();
        await output.WriteAsync(Encoding.ASCII.GetBytes(head), exchange.Stopping);
        return (input, output);
    }

    private static async IAsyncEnumerable<OutputChunk> ShowAsync(HijackedProgram program, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        await foreach (var chunk in program.Session.ReadOutputAsync(stopping))
        {
            if (program.Shows(chunk.Stream))
            {
                yield return chunk;
            }
        }
    }

    /// <summary>The client's bytes to the program, until either has enough.</summary>
    private static async Task FeedAsync(Stream input, HijackedProgram program, CancellationTokenSource over)
    {
        var buffer = new byte[InputBytes];
        var held = new byte[InputBytes + DetachKeys.LengthMax];
        try
        {
            while (await input.ReadAsync(buffer, over.Token) is > 0 and var count)
            {
                if (program.Detach is not { } detach)
                {
                    await program.Session.WriteInputAsync(buffer.AsMemory(0, count), over.Token);
                    continue;
                }

                var passed = detach.Pass(buffer.AsSpan(0, count), held);
                await program.Session.WriteInputAsync(held.AsMemory(0, passed), over.Token);
                if (detach.IsComplete)
                {
                    await over.CancelAsync();
                    return;
                }
            }

            await program.Session.EndInputAsync(over.Token);
        }
        catch (Exception end) when (end is IOException or OperationCanceledException)
        {
            // The program reads no more, or the client has gone: its output tells the rest.
        }
    }
}
