using Godwit.Linux.Files;
using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Processes;

/// <summary>
/// A helper program in a session of its own that talks with us over pipes beside its standard streams, which lead to
/// nothing and to a file. Its descendants may outlive us: they hold the far ends and notice when ours close.
/// </summary>
public sealed class PipedProcess : IDisposable
{
    /// <summary>The first pipe is the child's descriptor 3, the next 4, and so on.</summary>
    public const int FirstPipeNumber = 3;

    private readonly FileStream[] pipes;

    private PipedProcess(LinuxProcess? process, FileStream[] pipes)
    {
        Process = process;
        this.pipes = pipes;
    }

    /// <summary>The program itself; null when it had ended before anybody could look.</summary>
    public LinuxProcess? Process { get; }

    /// <summary>Our ends of the pipes, in order.</summary>
    public IReadOnlyList<Stream> Pipes => pipes;

    /// <summary>Starts the program.</summary>
    /// <param name="command">Absolute path and arguments.</param>
    /// <param name="environment">All of its environment.</param>
    /// <param name="place">The mounts that it sees; null is ours.</param>
    /// <param name="outputPath">Where its output and errors are appended.</param>
    /// <param name="directions">One pipe each: what we do with our end.</param>
    /// <exception cref="LinuxException">The program is not there, or the kernel refused.</exception>
    public static PipedProcess Start(
        IReadOnlyList<string> command,
        IReadOnlyDictionary<string, string> environment,
        MountNamespace? place,
        string outputPath,
        params IReadOnlyList<FileAccess> directions)
    {
        using var output = Descriptor.Open(outputPath, OpenFlags.O_WRONLY | OpenFlags.O_APPEND | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW, 0x180);
        var theirs = new List<Descriptor>();
        var ours = new List<FileStream>();
        try
        {
            foreach (var direction in directions)
            {
                var (read, write) = Descriptor.OpenPipe();
                var (near, far) = direction is FileAccess.Read ? (read, write) : (write, read);
                ours.Add(new FileStream(near.Release(), direction, bufferSize: 0));
                theirs.Add(far);
            }

            var processId = place is null
                ? NativeSpawn.Start(command, environment, output, theirs)
                : place.Run(() => NativeSpawn.Start(command, environment, output, theirs));
            // A child of ours that nobody has reaped keeps its PID, so this finds it even if it has ended already.
            var identity = ProcessIdentity.Find(processId) ?? throw new LinuxException($"find process {processId} of {command[0]}", Errno.ESRCH, "is /proc mounted?");
            return new PipedProcess(LinuxProcess.TryOpenChild(identity), [.. ours]);
        }
        catch
        {
            ours.ForEach(pipe => pipe.Dispose());
            throw;
        }
        finally
        {
            theirs.ForEach(pipe => pipe.Dispose());
        }
    }

    /// <summary>Closes our ends and lets go of the process.</summary>
    public void Dispose()
    {
        foreach (var pipe in pipes)
        {
            pipe.Dispose();
        }

        Process?.Dispose();
    }
}
