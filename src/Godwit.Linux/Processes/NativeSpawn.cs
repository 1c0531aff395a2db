using System.Globalization;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>posix_spawn(3) with what a long-lived child needs: its own session, default signals, and no descriptor of ours but those named.</summary>
internal static unsafe class NativeSpawn
{
    // Room for the opaque types of glibc (80, 336 and 128 bytes) and musl, with plenty to spare.
    private const int OpaqueBytes = 1024;

    /// <summary>Where the child finds the pipe that it waits at.</summary>
    internal const int GateNumber = 3;

    /// <summary>Starts the program with nothing on standard input, <paramref name="output"/> on output and error, and the gate.</summary>
    internal static int Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, Descriptor gate, Descriptor output) =>
        Start(command, environment, output, [gate]);

    /// <summary>As above; the child's descriptors from <see cref="GateNumber"/> on are those given.</summary>
    internal static int Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, Descriptor output, IReadOnlyList<Descriptor> given)
    {
        var program = command[0];
        using var nothing = Descriptor.Open("/dev/null", OpenFlags.O_RDONLY);
        // A source that lay among the targets would be overwritten before its turn.
        var apart = given.Select(descriptor => descriptor.DuplicateAbove(GateNumber + given.Count)).ToList();
        CloseOthersOnExec();
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var signals = stackalloc byte[OpaqueBytes];
        Check(LibC.SpawnFileActionsInit(actions), program);
        Check(LibC.SpawnAttributesInit(attributes), program);
        var argumentVector = AllocateVector(command);
        var environmentVector = AllocateVector([.. environment.Select(pair => $"{pair.Key}={pair.Value}")]);
        try
        {
            Check(LibC.SpawnFileActionsAddDuplicate(actions, nothing.Value, 0), program);
            Check(LibC.SpawnFileActionsAddDuplicate(actions, output.Value, 1), program);
            Check(LibC.SpawnFileActionsAddDuplicate(actions, output.Value, 2), program);
            for (var i = 0; i < apart.Count; i++)
            {
                Check(LibC.SpawnFileActionsAddDuplicate(actions, apart[i].Value, GateNumber + i), program);
            }

            _ = LibC.SignalSetEmpty(signals);
            Check(LibC.SpawnAttributesSetSignalMask(attributes, signals), program);
            _ = LibC.SignalSetFill(signals);
            Check(LibC.SpawnAttributesSetSignalDefault(attributes, signals), program);
            Check(LibC.SpawnAttributesSetFlags(attributes, SpawnFlags.SetSession | SpawnFlags.SetSignalMask | SpawnFlags.SetSignalDefault), program);
            Check(LibC.Spawn(out var processId, program, actions, attributes, argumentVector, environmentVector), program);
            return processId;
        }
        finally
        {
            _ = LibC.SpawnFileActionsDestroy(actions);
            _ = LibC.SpawnAttributesDestroy(attributes);
            FreeVector(argumentVector);
            FreeVector(environmentVector);
            apart.ForEach(descriptor => descriptor.Dispose());
        }
    }

    /// <summary>Sets soft and hard limit alike, never above the hard limit that the process has (raising needs CAP_SYS_RESOURCE).</summary>
    internal static void Limit(int processId, IReadOnlyList<ResourceLimit> limits)
    {
        var pair = stackalloc ulong[2];
        foreach (var limit in limits)
        {
            if (LibC.PrLimit(processId, (int)limit.Kind, null, pair) != 0)
            {
                throw LinuxException.FromLastCall($"read the limit {limit.Kind} of process {processId}");
            }

            pair[0] = pair[1] = Math.Min(limit.Value, pair[1]);
            if (LibC.PrLimit(processId, (int)limit.Kind, pair, null) != 0)
            {
                throw LinuxException.FromLastCall(string.Create(CultureInfo.InvariantCulture, $"set the limit {limit.Kind} of process {processId} to {limit.Value}"));
            }
        }
    }

    /// <summary>The runtime opens everything close-on-exec; what we were born with, or a library opened, may not be.</summary>
    private static void CloseOthersOnExec()
    {
        if (LibC.SystemCall(SystemCalls.CloseRange, 3, int.MaxValue, SystemCalls.CloseRangeCloseOnExec, 0) != 0)
        {
            throw LinuxException.FromLastCall("mark descriptors close-on-exec (needs Linux 5.11)");
        }
    }

    /// <summary>These calls return their error instead of setting errno.</summary>
    private static void Check(int error, string program)
    {
        if (error != 0)
        {
            throw new LinuxException($"start {program}", (Errno)error);
        }
    }

    private static byte** AllocateVector(IReadOnlyList<string> texts)
    {
        var vector = (byte**)NativeMemory.AllocZeroed((nuint)texts.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Count; i++)
        {
            if (texts[i].Contains('\0', StringComparison.Ordinal))
            {
                FreeVector(vector);
                throw new ArgumentException("an argument of a process holds a NUL character, which no process can be given", nameof(texts));
            }

            vector[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        return vector;
    }

    private static void FreeVector(byte** vector)
    {
        for (var entry = vector; *entry != null; entry++)
        {
            Marshal.FreeCoTaskMem((nint)(*entry));
        }

        NativeMemory.Free(vector);
    }
}
