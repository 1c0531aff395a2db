using System.Net;
using System.Text;
using CsCheck;
using Godwit.Networks.Names;

namespace Godwit.Networks.Tests.Names;

public sealed class DnsMessageTests
{
    private const string Name = "db.example.com";

    [Fact]
    public void What_is_asked_is_read_and_its_answer_is_read_by_who_asked()
    {
        var question = DnsMessage.WriteQuery(0x1234, Name, DnsType.A);
        var query = DnsMessage.ReadQuery(question)!;
        Assert.Equal((0x1234, Name, DnsType.A, true, true, DnsMessage.UdpBytesMax), (query.Id, query.Name, query.Type, query.IsRecursionDesired, query.HasOptions, query.SizeMax));

        var address = IPAddress.Parse("192.0.2.7");
        var answer = DnsMessage.WriteAnswer(query, DnsCode.NoError, [new DnsRecord.Alias(Name, 5, "a.example.com"), new DnsRecord.Host("a.example.com", 7, address)], query.SizeMax);
        var read = DnsMessage.ReadAddresses(answer, question, DnsType.A)!;
        Assert.Equal((address, 5, false), (Assert.Single(read.Addresses), read.TtlSeconds, read.IsTruncated));
        Assert.Null(DnsMessage.ReadAddresses(answer, DnsMessage.WriteQuery(0x1235, Name, DnsType.A), DnsType.A));
        Assert.Null(DnsMessage.ReadAddresses(answer, DnsMessage.WriteQuery(0x1234, "dc.example.com", DnsType.A), DnsType.A));
        Assert.Null(DnsMessage.ReadAddresses(DnsMessage.WriteAnswer(query, DnsCode.ServerFailure, [], query.SizeMax), question, DnsType.A));
    }

    [Fact]
    public void An_answer_that_is_too_large_says_so_and_has_no_records()
    {
        var question = DnsMessage.WriteQuery(1, Name, DnsType.A);
        var query = DnsMessage.ReadQuery(question)!;
        var records = Enumerable.Range(0, 200).Select(number => new DnsRecord.Host(Name, 1, new IPAddress([10, 0, 0, (byte)number]))).ToList();
        var cut = DnsMessage.WriteAnswer(query, DnsCode.NoError, records, query.SizeMax);
        Assert.InRange(cut.Length, DnsMessage.HeaderBytes, query.SizeMax);
        Assert.Equal((0, true), DnsMessage.ReadAddresses(cut, question, DnsType.A) is { } read ? (read.Addresses.Count, read.IsTruncated) : default);
        Assert.Equal(200, DnsMessage.ReadAddresses(DnsMessage.WriteAnswer(query, DnsCode.NoError, records, ushort.MaxValue), question, DnsType.A)!.Addresses.Count);
    }

    [Fact]
    public void Letters_of_either_size_are_one_name_and_the_answer_repeats_those_that_came()
    {
        var question = DnsMessage.WriteQuery(1, "dB.ExAmple.com", DnsType.A);
        var query = DnsMessage.ReadQuery(question)!;
        Assert.Equal(Name, query.Name);
        Assert.Contains("ExAmple", Encoding.Latin1.GetString(DnsMessage.WriteAnswer(query, DnsCode.NoSuchName, [], 512)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_question_is_nothing()
    {
        var question = DnsMessage.WriteQuery(1, Name, DnsType.A);
        for (var length = 0; length < question.Length - 11; length++)
        {
            Assert.Null(DnsMessage.ReadQuery(question.AsSpan(0, length)));
        }

        Assert.Null(DnsMessage.ReadQuery(Changed(question, 2, 0x81))); // An answer.
        Assert.Null(DnsMessage.ReadQuery(Changed(question, 5, 2))); // Two questions.
        Assert.Null(DnsMessage.ReadQuery(Changed(question, 12, 0xc0))); // A pointer.
        Assert.Equal("", DnsMessage.ReadQuery(Changed(question, 13, (byte)'.'))!.Name); // A dot inside a label is no dot between labels.
    }

    [Fact]
    public void No_bytes_break_the_reader() => Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 40], Gen.Byte).Sample((noise, position, value) =>
    {
        var question = DnsMessage.WriteQuery(1, Name, DnsType.Aaaa);
        Read(noise, question);
        Read(Changed(question, position, value), question);
        Read([.. question, .. noise], question);
        byte[] answer = [.. question[..2], 0x81, 0x80, 0, 1, 0, (byte)(noise.Length % 4), 0, 0, 0, 0, .. question[12..^11], .. noise];
        Read(answer, question);
    });

    private static void Read(byte[] message, byte[] question)
    {
        if (DnsMessage.ReadQuery(message) is { } query)
        {
            Assert.InRange(DnsMessage.WriteAnswer(query, DnsCode.NoSuchName, [], query.SizeMax).Length, DnsMessage.HeaderBytes, query.SizeMax);
        }

        Assert.All(DnsMessage.ReadAddresses(message, question, DnsType.Aaaa)?.Addresses ?? [], address => Assert.Equal(16, address.GetAddressBytes().Length));
    }

    private static byte[] Changed(byte[] message, int position, byte value)
    {
        var changed = (byte[])message.Clone();
        changed[position % changed.Length] = value;
        return changed;
    }
}
