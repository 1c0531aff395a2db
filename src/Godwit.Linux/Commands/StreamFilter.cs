using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Godwit.Linux.Commands;

/// <summary>
/// A program that reads a stream of hostile bytes and writes another, confined: a user that nobody else is, no capabilities, no network, no children, not a byte into any
/// file, bounded memory and processor time. What it can do when its input has taken it over is to write something else.
/// <code>
///   source ──thread──▶ its standard input │ unshare, setpriv, prlimit, the program │ its standard output ──▶ Read
/// </code>
/// </summary>
public sealed class StreamFilter : IDisposable
{
    private const int BufferBytes = 128 << 10;
    private const int WordsMax = 2000;
    private const long MemoryBytesMax = 512L << 20;
    private const int ProcessorSecondsMax = 3600;

    /// <summary>No account has these numbers; two at once have different ones, for processes of one user can change each other.</summary>
    private const uint FirstUser = 2_000_000_000;
    private const uint Users = 1 << 16;

    /// <summary>Between the end of its output and its own.</summary>
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(30);

    private static uint started;

    private readonly string name;
    private readonly Process process;
    private readonly Stream output;
    private readonly Task<string> words;
    private volatile Exception? sourceFailure;
    private bool ended;

    private StreamFilter(string name, Process process, Stream source)
    {
        (this.name, this.process) = (name, process);
        output = process.StandardOutput.BaseStream;
        var (input, errors) = (process.StandardInput.BaseStream, process.StandardError);
        words = Task.Run(() => ReadWordsAsync(errors));
        // Not waited for: its source may have nothing to say for long. It ends with its next read, for the program's end of the pipe is closed by then.
        _ = Task.Factory.StartNew(() => Feed(source, input), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <param name="program">Its absolute path.</param>
    /// <param name="arguments">Such that it reads standard input and writes standard output.</param>
    /// <param name="source">Read by another thread from now on, until its end or until this is disposed; it is not closed.</param>
    /// <exception cref="CommandException">The program, or what confines it, is not there.</exception>
    public static StreamFilter Start(string program, IReadOnlyList<string> arguments, Stream source)
    {
        var user = (FirstUser + (Interlocked.Increment(ref started) % Users)).ToString(CultureInfo.InvariantCulture);
        var command = new Command("/usr/bin/unshare", [
            "--net", "--ipc", "--",
            "/usr/bin/setpriv", $"--reuid={user}", $"--regid={user}", "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--",
            "/usr/bin/prlimit", string.Create(CultureInfo.InvariantCulture, $"--as={MemoryBytesMax}"), string.Create(CultureInfo.InvariantCulture, $"--cpu={ProcessorSecondsMax}"),
            "--nproc=0", "--fsize=0", "--core=0", "--",
            program, .. arguments]);
        if (new[] { command.Program, "/usr/bin/setpriv", "/usr/bin/prlimit", program }.FirstOrDefault(path => !File.Exists(path)) is { } missing)
        {
            throw new CommandException(command, null, $"there is no {missing}: is its package installed?");
        }

        var start = new ProcessStartInfo(command.Program, command.Arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        start.Environment.Clear();
        start.Environment["LC_ALL"] = "C";
        try
        {
            return new StreamFilter(Path.GetFileName(program), Process.Start(start)!, source);
        }
        catch (Win32Exception refusal)
        {
            throw new CommandException(command, null, "it could not be started", refusal);
        }
    }

    /// <summary>What the program writes; 0 when it has written all, and has ended well.</summary>
    /// <exception cref="InvalidDataException">The program refused its input, and its words.</exception>
    /// <exception cref="IOException">Its source failed; the cause is the source's failure.</exception>
    public int Read(Span<byte> buffer)
    {
        if (ended || buffer.IsEmpty)
        {
            return 0;
        }

        var count = output.Read(buffer);
        if (count == 0)
        {
            RequireGoodEnd();
            ended = true;
        }

        return count;
    }

    /// <summary>Ends the program if it still runs.</summary>
    public void Dispose()
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }

        process.StandardOutput.Dispose();
        process.Dispose();
    }

    private void RequireGoodEnd()
    {
        if (!process.WaitForExit(EndBound))
        {
            throw new InvalidDataException($"{name} wrote all and does not end");
        }

        // An input that was cut short by its source's failure looks like a damaged one to the program.
        if (sourceFailure is { } failure)
        {
            throw new IOException($"what {name} was to read failed at its source", failure);
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidDataException($"{name} refuses it (exit code {process.ExitCode}): {(words.Wait(EndBound) ? words.Result : "")}");
        }
    }

    private void Feed(Stream source, Stream input)
    {
        try
        {
            using var closing = input;
            var buffer = new byte[BufferBytes];
            while (ReadSource(source, buffer) is > 0 and var count)
            {
                input.Write(buffer, 0, count);
            }
        }
        catch (IOException)
        {
            // The program reads no more: its end says why.
        }
    }

    private int ReadSource(Stream source, byte[] buffer)
    {
        try
        {
            return source.Read(buffer, 0, buffer.Length);
        }
        catch (Exception failure)
        {
            sourceFailure = failure; // Whatever it is: it belongs to whoever reads what comes of it.
            return 0;
        }
    }

    private static async Task<string> ReadWordsAsync(StreamReader from)
    {
        using var errors = from;
        var said = new StringBuilder();
        var buffer = new char[512];
        try
        {
            while (await errors.ReadAsync(buffer) is > 0 and var count)
            {
                said.Append(buffer, 0, Math.Min(count, WordsMax - Math.Min(WordsMax, said.Length)));
            }
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // Disposed meanwhile: nobody asks any more.
        }

        return said.ToString().Trim();
    }
}
