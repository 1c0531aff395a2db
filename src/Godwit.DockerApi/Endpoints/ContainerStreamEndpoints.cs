using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Streams;

namespace Godwit.DockerApi.Endpoints;

/// <summary>What containers print and read.</summary>
internal sealed class ContainerStreamEndpoints(EngineServices services)
{
    private readonly ContainerEngine engine = services.Containers;

    public IEnumerable<Endpoint> List() =>
    [
        new("POST", "containers/{id}/attach", AttachAsync),
        new("GET", "containers/{id}/logs", ReadLogAsync),
        new("POST", "containers/{id}/resize", ResizeAsync),
    ];

    /// <summary>The size that a client gives a terminal.</summary>
    /// <exception cref="DockerException">It is none.</exception>
    public static TerminalSize ReadSize(Exchange exchange) =>
        exchange.QueryNumber("h") is >= 0 and <= ushort.MaxValue and var rows && exchange.QueryNumber("w") is >= 0 and <= ushort.MaxValue and var columns
            ? new TerminalSize((ushort)rows, (ushort)columns)
            : throw DockerException.Invalid("a terminal's size is h and w, each from 0 to 65535");

    private async Task AttachAsync(Exchange exchange)
    {
        var process = engine.Get(exchange.Name).Spec.Process;
        var options = new AttachOptions
        {
            StandardInput = exchange.QueryFlag("stdin") && process.OpenStandardInput,
            StandardOutput = exchange.QueryFlag("stdout"),
            StandardError = exchange.QueryFlag("stderr"),
            Logs = exchange.QueryFlag("logs"),
            Stream = exchange.QueryFlag("stream"),
        };
        var detach = process.Terminal ? DetachKeys.Parse(exchange.Query("detachKeys")) : null;
        await using var session = await engine.AttachAsync(exchange.Name, options, exchange.Stopping);
        await HijackedStream.CarryAsync(exchange, new HijackedProgram(session, options.StandardInput, detach), new OutputFrames(Multiplexed: !process.Terminal));
    }

    private async Task ReadLogAsync(Exchange exchange)
    {
        var query = new LogQuery
        {
            StandardOutput = exchange.QueryFlag("stdout"),
            StandardError = exchange.QueryFlag("stderr"),
            Follow = exchange.QueryFlag("follow"),
            Since = exchange.QueryTime("since"),
            Until = exchange.QueryTime("until"),
            Timestamps = exchange.QueryFlag("timestamps"),
            Tail = ReadTail(exchange.Query("tail")),
        };
        if (!query.StandardOutput && !query.StandardError)
        {
            throw DockerException.Invalid("Bad parameters: you must choose at least one stream");
        }

        var frames = new OutputFrames(Multiplexed: !engine.Get(exchange.Name).Spec.Process.Terminal);
        var output = engine.ReadLogAsync(exchange.Name, query, exchange.Stopping);
        await exchange.BeginAsync(frames.ContentType(exchange.Version));
        await OutputPump.RunAsync(output, frames, exchange.Output, exchange.Stopping);
    }

    private Task ResizeAsync(Exchange exchange)
    {
        engine.Resize(exchange.Name, ReadSize(exchange));
        return exchange.EndAsync(200);
    }

    /// <summary>Lines from the end; what is no number means all of them, as in Docker.</summary>
    private static long? ReadTail(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var lines) ? lines : null;
}
