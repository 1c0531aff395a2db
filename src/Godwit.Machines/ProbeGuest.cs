namespace Godwit.Machines;

/// <summary>
/// The smallest guest that proves something: a boot sector that goes from real to 64-bit mode by itself (page tables,
/// CR4.PAE, EFER.LME, CR0.PG), adds two 64-bit numbers, and says so at the debug-exit port. QEMU's exit code can be
/// <see cref="ExitCode"/> only if those instructions ran. Its source is <c>eng/probe-guest.S</c>.
/// </summary>
internal static class ProbeGuest
{
    /// <summary>isa-debug-exit ends QEMU with twice what was written, plus one: 0x31.</summary>
    public const int ExitCode = 99;

    private const int DiskBytes = 1 << 20;

    private const string Code = """
        fa31c08ed88ec08ed0bc007c66bf001000006631c066b9000c0000fc6766f3ab66c70600100320000066c70600200330
        000066c70600308300000066b8001000000f22d80f20e06683c8200f22e066b9800000c00f32660d000100000f30660f
        0116b87c0f20c0660d010000800f22c0ea757c080048b8080706050403020148bb11111111111111114801d848b91918
        1716151413124839c8750766ba0105b031eef4ebfd0f1f00000000000000000000000000009a20000f00a87c
        """;

    /// <summary>A disk that begins with the boot sector.</summary>
    public static byte[] BuildDisk()
    {
        var disk = new byte[DiskBytes];
        Convert.FromHexString(string.Concat(Code.Split('\n', StringSplitOptions.TrimEntries))).CopyTo(disk, 0);
        disk[510] = 0x55;
        disk[511] = 0xaa;
        return disk;
    }
}
