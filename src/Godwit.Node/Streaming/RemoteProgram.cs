using System.Globalization;
using System.Net.WebSockets;
using Godwit.Api;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Containers;

namespace Godwit.Node.Streaming;

/// <summary>A program's line and a client's, joined until one of them ends.</summary>
internal static class RemoteProgram
{
    private const int BufferBytes = 32 << 10;

    /// <param name="session">The program's side.</param>
    /// <param name="line">The client's.</param>
    /// <param name="options">Which streams it wants.</param>
    /// <param name="resize">Gives the program's terminal another size.</param>
    /// <param name="exitCode">Asked when the program's output is over; null when it still runs or is not to be told.</param>
    /// <param name="stopping">Ends it; the program runs on.</param>
    public static async Task JoinAsync(IProcessSession session, IRemoteLine line, RemoteOptions options, Action<TerminalSize> resize, Func<int?> exitCode, CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var client = line.RunAsync(over.Token);
        var input = options.StandardInput ? CopyInputAsync(session, line, over.Token) : Task.CompletedTask;
        var sizes = options.Terminal ? CopySizesAsync(line, resize, over.Token) : Task.CompletedTask;
        var output = CopyOutputAsync(session, line, options, over.Token);
        await Task.WhenAny(output, client);
        if (output.IsCompletedSuccessfully || output.Exception is not null)
        {
            await TellAsync(line, output.Exception is { } failure ? StatusOf(failure.GetBaseException()) : StatusOf(exitCode()), over.Token);
        }

        await over.CancelAsync();
        await Task.WhenAll(client, input, sizes, output).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>In the words by which clients know an exit code.</summary>
    internal static Status StatusOf(int? exitCode) => exitCode is null or 0
        ? new Status { Outcome = "Success" }
        : new Status
        {
            Outcome = "Failure",
            Message = string.Create(CultureInfo.InvariantCulture, $"command terminated with non-zero exit code: exit status {exitCode}"),
            Reason = "NonZeroExitCode",
            Details = new StatusDetails { Causes = [new StatusCause { Reason = "ExitCode", Message = exitCode.Value.ToString(CultureInfo.InvariantCulture) }] },
        };

    /// <summary>A client that is told nothing takes that for success: what broke between the program and it must be said.</summary>
    internal static Status StatusOf(Exception failure) => new()
    {
        Outcome = "Failure",
        Message = $"the program's output broke off: {ErrorChain.Describe(failure)}",
        Reason = "InternalError",
        Code = 500,
    };

    private static async Task TellAsync(IRemoteLine line, Status status, CancellationToken stopping)
    {
        try
        {
            await line.EndAsync(GodwitJson.SerializeToUtf8(status), stopping);
        }
        catch (Exception gone) when (gone is WebSocketException or IOException or ObjectDisposedException)
        {
            // The client went at the same moment.
        }
    }

    private static async Task CopyInputAsync(IProcessSession session, IRemoteLine line, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (await line.ReadInputAsync(buffer, stopping) is > 0 and var count)
        {
            await session.WriteInputAsync(buffer.AsMemory(0, count), stopping);
        }

        await session.EndInputAsync(stopping);
    }

    private static async Task CopySizesAsync(IRemoteLine line, Action<TerminalSize> resize, CancellationToken stopping)
    {
        await foreach (var size in line.ReadSizesAsync(stopping))
        {
            try
            {
                resize(size);
            }
            catch (ContainerException)
            {
                // It has ended meanwhile.
            }
        }
    }

    private static async Task CopyOutputAsync(IProcessSession session, IRemoteLine line, RemoteOptions options, CancellationToken stopping)
    {
        await foreach (var chunk in session.ReadOutputAsync(stopping))
        {
            if (chunk.Stream is OutputStream.Standard ? options.StandardOutput : options.StandardError)
            {
                await line.WriteOutputAsync(chunk.Stream, chunk.Bytes, stopping);
            }
        }
    }
}
