using System.Text;

namespace Godwit.Cli.Tests;

/// <summary>Output that a test can wait for while the command still runs.</summary>
internal sealed class WaitedWriter : TextWriter
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromMinutes(2);

    private readonly Lock gate = new();
    private readonly StringBuilder text = new();
    private TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override Encoding Encoding => Encoding.UTF8;

    public WaitedWriter() => CoreNewLine = ['\n'];

    /// <summary>Returns once the output contains the words.</summary>
    public async Task UntilAsync(string words)
    {
        while (true)
        {
            Task more;
            lock (gate)
            {
                if (text.ToString().Contains(words, StringComparison.Ordinal))
                {
                    return;
                }

                more = written.Task;
            }

            await more.WaitAsync(WaitMax, TimeProvider.System);
        }
    }

    public override void Write(char value) => Write([value]);

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (gate)
        {
            text.Append(buffer);
            written.TrySetResult();
            written = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    public override Task WriteLineAsync(string? value)
    {
        Write(value + "\n");
        return Task.CompletedTask;
    }

    public override string ToString()
    {
        lock (gate)
        {
            return text.ToString();
        }
    }
}
