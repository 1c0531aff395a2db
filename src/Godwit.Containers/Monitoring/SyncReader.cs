using System.Text;
using System.Text.Json;

namespace Godwit.Containers.Monitoring;

/// <summary>Lines of JSON from a monitor: <c>{"data": 5}</c>, <c>{"data": -1, "message": "…"}</c>.</summary>
internal sealed class SyncReader(Stream pipe) : IDisposable
{
    private const int LineBytesMax = 1 << 16;

    private readonly byte[] buffer = new byte[LineBytesMax];
    private int filled;

    /// <summary>The next line; null when the monitor has closed its end. A pipe's read blocks, so it has a thread of the pool meanwhile.</summary>
    internal Task<MonitorAnswer?> ReadAsync() => Task.Run(Read);

    public void Dispose() => pipe.Dispose();

    private MonitorAnswer? Read()
    {
        while (true)
        {
            var end = buffer.AsSpan(0, filled).IndexOf((byte)'\n');
            if (end >= 0)
            {
                var answer = Parse(buffer.AsSpan(0, end));
                buffer.AsSpan(end + 1, filled - end - 1).CopyTo(buffer);
                filled -= end + 1;
                return answer;
            }

            var count = filled < buffer.Length ? pipe.Read(buffer, filled, buffer.Length - filled) : 0;
            if (count == 0)
            {
                return filled > 0 ? Parse(buffer.AsSpan(0, Interlocked.Exchange(ref filled, 0))) : null;
            }

            filled += count;
        }
    }

    internal static MonitorAnswer Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            var document = JsonElement.ParseValue(ref reader);
            return new MonitorAnswer(
                document.TryGetProperty("data", out var data) && data.TryGetInt32(out var value) ? value : -1,
                document.TryGetProperty("message", out var message) ? message.GetString() : null);
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException)
        {
            return new MonitorAnswer(-1, Encoding.UTF8.GetString(line));
        }
    }
}

/// <param name="Value">First a process's id, or less than one if there is none; at the end of an execution its exit code.</param>
internal sealed record MonitorAnswer(int Value, string? Message);
