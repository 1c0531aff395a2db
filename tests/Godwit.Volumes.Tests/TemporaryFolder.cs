using System.Globalization;

namespace Godwit.Volumes.Tests;

/// <summary>A folder of one test, gone with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory($"godwit-volumes-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-").FullName;

    public string File(string name, ReadOnlySpan<byte> contents)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        using var file = System.IO.File.Create(path);
        file.Write(contents);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Contents that are just enough of what they claim to be.</summary>
internal static class Sample
{
    public static byte[] Kernel()
    {
        var kernel = new byte[4096];
        kernel[0x1fe] = 0x55;
        kernel[0x1ff] = 0xaa;
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        return kernel;
    }

    public static byte[] Initrd() => [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];

    /// <summary>A version 3 header of a 1 GiB disk with 64 KiB clusters.</summary>
    public static byte[] Qcow2(ulong backingFileOffset = 0, ulong incompatible = 0, ulong sizeBytes = 1 << 30, uint version = 3, uint clusterBits = 16)
    {
        var header = new byte[512];
        var span = header.AsSpan();
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(span, 0x514649fb);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(span[4..], version);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(span[8..], backingFileOffset);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(span[20..], clusterBits);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(span[24..], sizeBytes);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(span[72..], incompatible);
        return header;
    }
}
