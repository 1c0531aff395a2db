using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Containers;

namespace Godwit.Node.Streaming;

/// <summary>What a client asks for beside a program.</summary>
internal sealed record RemoteOptions
{
    public bool StandardInput { get; init; }

    public bool StandardOutput { get; init; }

    public bool StandardError { get; init; }

    public bool Terminal { get; init; }

    /// <summary>Streams that a SPDY client opens: the error stream is always one.</summary>
    internal int StreamCount => 1 + (StandardInput ? 1 : 0) + (StandardOutput ? 1 : 0) + (StandardError && !Terminal ? 1 : 0) + (Terminal ? 1 : 0);
}

/// <summary>A client's terminal, however it is reached.</summary>
internal interface IRemoteLine : IAsyncDisposable
{
    /// <summary>Ends when the client has gone.</summary>
    Task RunAsync(CancellationToken stopping);

    /// <summary>Bytes for the program's standard input; zero when the client has closed it, or gone.</summary>
    ValueTask<int> ReadInputAsync(Memory<byte> buffer, CancellationToken stopping);

    /// <summary>The terminal's sizes as they change.</summary>
    IAsyncEnumerable<TerminalSize> ReadSizesAsync(CancellationToken stopping);

    ValueTask WriteOutputAsync(OutputStream stream, ReadOnlyMemory<byte> bytes, CancellationToken stopping);

    /// <summary>Says how it ended (a Status as JSON), and closes.</summary>
    ValueTask EndAsync(ReadOnlyMemory<byte> status, CancellationToken stopping);
}

/// <summary>A terminal's size as Kubernetes' clients send it.</summary>
internal sealed record SizeMessage
{
    [JsonPropertyName("Width")]
    public ushort Width { get; init; }

    [JsonPropertyName("Height")]
    public ushort Height { get; init; }

    /// <summary>Null: it is none, and is passed over.</summary>
    internal static TerminalSize? Read(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, SizeJson.Default.SizeMessage) is { Width: > 0, Height: > 0 } size ? new TerminalSize(size.Height, size.Width) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSerializable(typeof(SizeMessage))]
internal sealed partial class SizeJson : JsonSerializerContext;
