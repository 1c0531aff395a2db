using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Godwit.Api.Meta.V1;

namespace Godwit.Client;

/// <summary>A watch on the wire: one JSON object a line, <c>{"type": …, "object": …}</c>.</summary>
internal static class WatchLines
{
    /// <summary>A longer line is no event of a sane server, and is not buffered.</summary>
    public const int LineBytesMax = 16 << 20;

    public static async IAsyncEnumerable<ReadOnlySequence<byte>> ReadAsync(Stream body, [EnumeratorCancellation] CancellationToken stopping)
    {
        var reader = PipeReader.Create(body);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(stopping);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    if (!buffer.Slice(0, end).IsEmpty)
                    {
                        yield return buffer.Slice(0, end);
                    }

                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }

                if (buffer.Length > LineBytesMax)
                {
                    throw new InvalidDataException($"A watch event is longer than {LineBytesMax} bytes.");
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted)
                {
                    yield break; // What is left is half an event: the server went away while it wrote. It will be sent again.
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    /// <exception cref="ApiException">The event is an error, which ends the watch.</exception>
    /// <exception cref="InvalidDataException">The line is not an event.</exception>
    public static ResourceEvent<T> Parse<T>(ReadOnlySequence<byte> line, ClusterRequest request)
        where T : Resource, IResource<T>
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var kind = document.RootElement.GetProperty("type").GetString();
            var content = document.RootElement.GetProperty("object");
            return kind == WatchEventTypes.Error
                ? throw ApiException.FromStatus(request, GodwitJson.FromElement<Status>(content))
                : new ResourceEvent<T>(KindOf(kind), GodwitJson.FromElement<T>(content));
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"A line of the watch on {T.Type.Plural} is no event", error);
        }
    }

    private static ResourceEventKind KindOf(string? type) => type switch
    {
        WatchEventTypes.Added => ResourceEventKind.Added,
        WatchEventTypes.Modified => ResourceEventKind.Modified,
        WatchEventTypes.Deleted => ResourceEventKind.Deleted,
        WatchEventTypes.Bookmark => ResourceEventKind.Bookmark,
        _ => throw new JsonException($"'{type}' is no type of event."),
    };
}
