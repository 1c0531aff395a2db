using System.Diagnostics;
using System.Text;
using CsCheck;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using BclTar = System.Formats.Tar;

namespace Godwit.Images.Tests;

/// <summary>The archive format: what we write others read, what others write we read, and damage is an error, never a crash.</summary>
public sealed class TarTests
{
    private static readonly Gen<byte[]> Names = Gen.Byte[1, 255].Array[1, 300].Where(name => !name.Contains((byte)0) && name[^1] != '/');

    private static readonly Gen<TarEntry> Entries = Gen.Select(
        Names, Gen.Enum<TarKind>(), Gen.UInt[0, 0xfff], Gen.UInt[0, 4_000_000_000], Gen.Long[-1_000_000_000_000, 1_000_000_000_000], Names,
        (name, kind, mode, owner, time, other) => new TarEntry
        {
            Name = name,
            Kind = kind,
            Mode = mode,
            UserId = owner,
            GroupId = owner / 2,
            Modified = new FileTime(time, 0),
            LinkTarget = kind is TarKind.HardLink or TarKind.SymbolicLink ? other : [],
            DeviceMajor = kind is TarKind.CharacterDevice or TarKind.BlockDevice ? owner % 512 : 0,
            Attributes = owner % 3 == 0 ? [new TarAttribute("security.capability"u8.ToArray(), other)] : [],
        });

    [Fact]
    public void Whatever_is_written_is_read_the_same()
    {
        Gen.Select(Entries, Gen.Byte.Array[0, 2000]).Array[0, 5].Sample(members =>
        {
            using var bytes = new MemoryStream();
            var writer = new TarWriter(bytes);
            foreach (var (entry, contents) in members)
            {
                writer.Add(entry, entry.Kind is TarKind.File ? contents : []);
            }

            writer.End();
            bytes.Position = 0;
            var reader = new TarReader(bytes);
            foreach (var (entry, contents) in members)
            {
                var read = reader.Next()!;
                Assert.Equal((entry.Kind, entry.Mode, entry.UserId, entry.GroupId, entry.Modified, entry.DeviceMajor), (read.Kind, read.Mode, read.UserId, read.GroupId, read.Modified, read.DeviceMajor));
                Assert.Equal(entry.Name, read.Name);
                Assert.Equal(entry.LinkTarget, read.LinkTarget);
                Assert.Equal(entry.Attributes.Select(each => Convert.ToHexString(each.Value)), read.Attributes.Select(each => Convert.ToHexString(each.Value)));
                Assert.Equal(entry.Kind is TarKind.File ? contents : [], reader.ReadAll(1 << 20));
            }

            Assert.Null(reader.Next());
        });
    }

    [Theory]
    [InlineData(BclTar.TarEntryFormat.Ustar)]
    [InlineData(BclTar.TarEntryFormat.Pax)]
    [InlineData(BclTar.TarEntryFormat.Gnu)]
    [InlineData(BclTar.TarEntryFormat.V7)]
    public void Forms_that_another_writer_makes_are_read(BclTar.TarEntryFormat format)
    {
        var name = format is BclTar.TarEntryFormat.V7 ? "short" : "folder/" + new string('n', 95) + "/" + new string('m', 90);
        using var bytes = new MemoryStream();
        using (var writer = new BclTar.TarWriter(bytes, format, leaveOpen: true))
        {
            BclTar.TarEntry entry = format switch
            {
                BclTar.TarEntryFormat.Ustar => new BclTar.UstarTarEntry(BclTar.TarEntryType.RegularFile, name),
                BclTar.TarEntryFormat.Pax => new BclTar.PaxTarEntry(BclTar.TarEntryType.RegularFile, name),
                BclTar.TarEntryFormat.Gnu => new BclTar.GnuTarEntry(BclTar.TarEntryType.RegularFile, name),
                _ => new BclTar.V7TarEntry(BclTar.TarEntryType.V7RegularFile, name),
            };
            entry.Mode = UnixFileMode.UserRead | UnixFileMode.SetUser;
            entry.Uid = 1234;
            entry.DataStream = new MemoryStream("contents"u8.ToArray());
            writer.WriteEntry(entry);
        }

        bytes.Position = 0;
        var reader = new TarReader(bytes);
        var read = reader.Next()!;
        Assert.Equal((name, 0x900u, 1234u, 8L), (Encoding.UTF8.GetString(read.Name), read.Mode, read.UserId, read.SizeBytes));
        Assert.Equal("contents"u8, reader.ReadAll(100));
        Assert.Null(reader.Next());
    }

    [Fact]
    public void What_we_write_another_reader_reads()
    {
        var name = new string('x', 300) + "/ü";
        var bytes = Sample.Tar((Sample.File(name) with { UserId = 3_000_000 }, "abc"), (Sample.Link("l", new string('t', 200)), ""));
        using var reader = new BclTar.TarReader(new MemoryStream(bytes));
        var file = reader.GetNextEntry(copyData: true)!;
        Assert.Equal((name, 3_000_000, 3L), (file.Name, file.Uid, file.Length));
        Assert.Equal(200, reader.GetNextEntry()!.LinkName.Length);
        Assert.Null(reader.GetNextEntry());
    }

    [Theory]
    [InlineData("--format=gnu")]
    [InlineData("--format=pax --sparse-version=0.0")]
    [InlineData("--format=pax --sparse-version=0.1")]
    [InlineData("--format=pax --sparse-version=1.0")]
    public void Sparse_files_of_GNU_tar_are_unpacked_with_their_holes(string form)
    {
        using var folder = new TemporaryFolder();
        var source = folder.Sub("source");
        using (var file = File.OpenHandle(Path.Combine(source, "disk"), FileMode.Create, FileAccess.Write))
        {
            for (var at = 0; at < 40; at++)
            {
                RandomAccess.Write(file, Encoding.ASCII.GetBytes($"piece {at}"), at * (1L << 20)); // More extents than GNU's header holds.
            }

            RandomAccess.SetLength(file, 64 << 20);
        }

        var archive = Path.Combine(folder.Path, "a.tar");
        using (var tar = Process.Start("tar", ["--sparse", .. form.Split(' '), "-C", source, "-cf", archive, "disk"]))
        {
            tar.WaitForExit();
            Assert.Equal(0, tar.ExitCode);
        }

        Assert.InRange(new FileInfo(archive).Length, 1, 2 << 20);
        var target = folder.Sub("target");
        using (var root = HeldFolder.Open(target))
        using (var input = File.OpenRead(archive))
        {
            Assert.Equal(64L << 20, TreeUnpacker.Unpack(input, root, new UnpackOptions { Owner = (0, 0) }, Sample.Stopping).SizeBytes);
            Assert.InRange(root.Find("disk"u8)!.Value.AllocatedBytes, 1, 4 << 20);
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(source, "disk")), File.ReadAllBytes(Path.Combine(target, "disk")));
    }

    [Fact]
    public void Damaged_archives_are_refused_or_read_but_nothing_else_happens()
    {
        var good = Sample.Tar(
            (Sample.File("a/" + new string('n', 200)) with { Attributes = [new TarAttribute("user.x"u8.ToArray(), [1, 2, 3])] }, "some contents"), (Sample.Folder("b/"), ""), (Sample.Link("c", "a"), ""));
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length], Gen.Bool).Sample((at, value, length, mend) =>
        {
            var damaged = good.ToArray();
            damaged[at] = value;
            if (mend)
            {
                MendChecksums(damaged); // Else hardly any damage would get past the checksum.
            }

            try
            {
                var reader = new TarReader(new MemoryStream(damaged, 0, length));
                var buffer = new byte[100];
                for (var members = 0; members < 100 && reader.Next() is not null; members++)
                {
                    while (reader.Read(buffer) > 0)
                    {
                        // To its end.
                    }
                }
            }
            catch (ImageException refusal)
            {
                Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
            }
        }, iter: 50_000);
    }

    [Fact]
    public void An_archive_cannot_make_us_take_memory_by_its_word()
    {
        var header = Sample.Tar((Sample.File("x"), ""))[..512];
        foreach (var type in "xLKg")
        {
            header[156] = (byte)type;
            "77777777777\0"u8.CopyTo(header.AsSpan(124));
            MendChecksums(header);
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<ImageException>(() => new TarReader(new MemoryStream(header)).Next());
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        }
    }

    internal static void MendChecksums(byte[] tar)
    {
        for (var at = 0; at + 512 <= tar.Length; at += 512)
        {
            var block = tar.AsSpan(at, 512);
            if (block[257..262].SequenceEqual("ustar"u8))
            {
                Encoding.ASCII.GetBytes(Convert.ToString(TarHeader.Checksum(block), 8).PadLeft(6, '0') + "\0 ").CopyTo(block[148..]);
            }
        }
    }
}
