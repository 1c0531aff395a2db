using CsCheck;

namespace Godwit.Volumes.Tests;

public sealed class Qcow2HeaderTests
{
    [Fact]
    public void Any_header_is_read_or_refused_and_never_escapes() =>
        Gen.Select(Gen.Byte.Array[0, 120], Gen.Bool, Gen.Byte.Array[0, 120]).Sample(pick =>
        {
            var (bytes, real, noise) = pick;
            var header = real ? Sample.Qcow2() : bytes;
            if (real)
            {
                // Noise after the magic reaches the checks behind it.
                for (var i = 4; i < Math.Min(noise.Length, header.Length); i++)
                {
                    header[i] ^= (byte)(noise[i] & noise[^1]);
                }
            }

            try
            {
                return Qcow2Header.Parse(header).VirtualSizeBytes > 0;
            }
            catch (FormatException)
            {
                return true;
            }
        });

    [Fact]
    public void What_a_guest_wrote_into_its_raw_disk_does_not_change_what_the_host_takes_it_for()
    {
        using var folder = new TemporaryFolder();
        var disk = folder.File("guest.img", Sample.Qcow2(backingFileOffset: 0x150));
        Assert.Equal(DiskFormat.Raw, DiskImage.CheckUsed(disk, DiskFormat.Raw).Format);
    }
}
