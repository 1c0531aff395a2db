using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Godwit.Networks.Names;

internal enum DnsType : ushort
{
    A = 1,
    Cname = 5,
    Aaaa = 28,
    Srv = 33,
    Options = 41,
    Any = 255,
}

internal enum DnsCode : byte
{
    NoError = 0,
    ServerFailure = 2,
    NoSuchName = 3,
}

/// <summary>One record of an answer.</summary>
internal abstract record DnsRecord(string Owner, int TtlSeconds)
{
    internal sealed record Host(string Owner, int TtlSeconds, IPAddress Address) : DnsRecord(Owner, TtlSeconds);

    internal sealed record Alias(string Owner, int TtlSeconds, string Target) : DnsRecord(Owner, TtlSeconds);

    internal sealed record Service(string Owner, int TtlSeconds, ServiceTarget Target) : DnsRecord(Owner, TtlSeconds);
}

/// <summary>A question as it came.</summary>
/// <param name="Name">In lower case, with dots between its labels; empty for the root and for a name that has other letters than ours ever have.</param>
/// <param name="Question">The bytes that the answer repeats.</param>
/// <param name="SizeMax">The largest answer that its asker takes by UDP.</param>
/// <param name="HasOptions">Whether it speaks of options (EDNS), and so must its answer.</param>
internal sealed record DnsQuery(ushort Id, bool IsRecursionDesired, string Name, DnsType Type, byte[] Question, int SizeMax, bool HasOptions);

/// <summary>
/// DNS messages (RFC 1035, 2782, 6891), as far as we answer and ask them: one question, class IN. Whatever comes is hostile: what is malformed is
/// nothing, and no pointer is ever followed.
/// </summary>
internal static class DnsMessage
{
    internal const int HeaderBytes = 12;

    /// <summary>More is cut off by some network or other (DNS flag day 2020).</summary>
    internal const int UdpBytesMax = 1232;

    private const int UdpBytesPlain = 512;
    private const int NameBytesMax = 255;
    private const int LabelBytesMax = 63;
    private const ushort Internet = 1;
    private const ushort ResponseFlag = 0x8000;
    private const ushort OperationMask = 0x7800;
    private const ushort AuthoritativeFlag = 0x0400;
    private const ushort TruncatedFlag = 0x0200;
    private const ushort RecursionDesiredFlag = 0x0100;
    private const ushort RecursionAvailableFlag = 0x0080;

    /// <returns>Null for what is no question that we could answer; nothing is said to it then.</returns>
    internal static DnsQuery? ReadQuery(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderBytes || (Word(message, 2) & (ResponseFlag | OperationMask)) != 0 || Word(message, 4) != 1)
        {
            return null;
        }

        var position = HeaderBytes;
        if (!TryReadName(message, ref position, out var name) || message.Length - position < 4 || Word(message, position + 2) != Internet)
        {
            return null;
        }

        var type = (DnsType)Word(message, position);
        position += 4;
        // The options stand first of all that follows, in what clients send.
        var rest = message[position..];
        var hasOptions = Word(message, 6) == 0 && Word(message, 8) == 0 && Word(message, 10) > 0 && rest.Length >= 11 && rest[0] == 0 && Word(rest, 1) == (ushort)DnsType.Options;
        var sizeMax = hasOptions ? Math.Clamp((int)Word(rest, 3), UdpBytesPlain, UdpBytesMax) : UdpBytesPlain;
        return new DnsQuery(Word(message, 0), (Word(message, 2) & RecursionDesiredFlag) != 0, name, type, message[HeaderBytes..position].ToArray(), sizeMax, hasOptions);
    }

    /// <param name="sizeMax">An answer that is larger is sent without its records, and says so: its asker comes again by TCP.</param>
    internal static byte[] WriteAnswer(DnsQuery query, DnsCode code, IReadOnlyList<DnsRecord> records, int sizeMax)
    {
        using var buffer = new MemoryStream(UdpBytesPlain);
        buffer.Write(new byte[HeaderBytes]);
        buffer.Write(query.Question);
        foreach (var record in records)
        {
            WriteRecord(buffer, query, record);
        }

        var optionBytes = query.HasOptions ? 11 : 0;
        var isTruncated = buffer.Length + optionBytes > sizeMax;
        if (isTruncated)
        {
            buffer.SetLength(HeaderBytes + query.Question.Length);
        }

        if (query.HasOptions)
        {
            Span<byte> options = stackalloc byte[11];
            BinaryPrimitives.WriteUInt16BigEndian(options[1..], (ushort)DnsType.Options);
            BinaryPrimitives.WriteUInt16BigEndian(options[3..], UdpBytesMax);
            buffer.Write(options);
        }

        var answer = buffer.ToArray();
        var flags = ResponseFlag | AuthoritativeFlag | RecursionAvailableFlag | (query.IsRecursionDesired ? RecursionDesiredFlag : 0) | (isTruncated ? TruncatedFlag : 0) | (int)code;
        BinaryPrimitives.WriteUInt16BigEndian(answer, query.Id);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(2), (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(4), 1);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), (ushort)(isTruncated ? 0 : records.Count));
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(10), (ushort)(query.HasOptions ? 1 : 0));
        return answer;
    }

    internal static byte[] WriteQuery(ushort id, string name, DnsType type)
    {
        using var buffer = new MemoryStream();
        buffer.Write([(byte)(id >> 8), (byte)id, RecursionDesiredFlag >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        WriteName(buffer, name);
        buffer.Write([0, (byte)type, 0, (byte)Internet]);
        buffer.Write([0, 0, (byte)DnsType.Options, UdpBytesMax >> 8, UdpBytesMax & 0xff, 0, 0, 0, 0, 0, 0]);
        return buffer.ToArray();
    }

    /// <summary>The addresses that a resolver answers to what <see cref="WriteQuery"/> wrote, whatever other names lead to them.</summary>
    /// <returns>Null for what is no answer to it, or is one of a failure.</returns>
    internal static DnsAddresses? ReadAddresses(ReadOnlySpan<byte> message, ReadOnlySpan<byte> query, DnsType type)
    {
        var question = query[HeaderBytes..^11];
        if (message.Length < HeaderBytes + question.Length || Word(message, 0) != Word(query, 0) || (Word(message, 2) & ResponseFlag) == 0 || Word(message, 4) != 1
            || !message.Slice(HeaderBytes, question.Length).SequenceEqual(question)
            || (DnsCode)(message[3] & 0xf) is not (DnsCode.NoError or DnsCode.NoSuchName))
        {
            return null;
        }

        var (addresses, ttlSeconds, position) = (new List<IPAddress>(), int.MaxValue, HeaderBytes + question.Length);
        for (var left = Word(message, 6); left > 0; left--)
        {
            if (!TrySkipName(message, ref position) || message.Length - position < 10 || message.Length - position - 10 < Word(message, position + 8))
            {
                return null;
            }

            var data = message.Slice(position + 10, Word(message, position + 8));
            if (Word(message, position) == (ushort)type && Word(message, position + 2) == Internet && data.Length == (type == DnsType.A ? 4 : 16))
            {
                addresses.Add(new IPAddress(data));
            }

            ttlSeconds = (int)Math.Min((uint)ttlSeconds, BinaryPrimitives.ReadUInt32BigEndian(message[(position + 4)..]));
            position += 10 + data.Length;
        }

        return new DnsAddresses(addresses, ttlSeconds, (Word(message, 2) & TruncatedFlag) != 0);
    }

    private static ushort Word(ReadOnlySpan<byte> message, int position) => BinaryPrimitives.ReadUInt16BigEndian(message[position..]);

    /// <summary>A name that is written out: that of a question.</summary>
    private static bool TryReadName(ReadOnlySpan<byte> message, ref int position, out string name)
    {
        name = "";
        var text = new StringBuilder();
        var (start, isOurs) = (position, true);
        while (position < message.Length && position - start < NameBytesMax)
        {
            int length = message[position++];
            if (length == 0)
            {
                name = isOurs ? text.ToString() : "";
                return true;
            }

            if (length > LabelBytesMax || length > message.Length - position)
            {
                return false;
            }

            var label = Encoding.Latin1.GetString(message.Slice(position, length)).ToLowerInvariant();
            isOurs &= label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_');
            text.Append(text.Length > 0 ? "." : "").Append(label);
            position += length;
        }

        return false;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> message, ref int position)
    {
        while (position < message.Length)
        {
            int length = message[position++];
            if (length > LabelBytesMax)
            {
                position++; // A pointer ends the name; what it points to is nothing to us.
                return length >= 0xc0;
            }

            position += length;
            if (length == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static void WriteRecord(MemoryStream buffer, DnsQuery query, DnsRecord record)
    {
        if (record.Owner == query.Name)
        {
            buffer.Write([0xc0, HeaderBytes]); // The question's name.
        }
        else
        {
            WriteName(buffer, record.Owner);
        }

        var (type, data) = DataOf(record);
        Span<byte> fields = stackalloc byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(fields, (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(fields[2..], Internet);
        BinaryPrimitives.WriteInt32BigEndian(fields[4..], record.TtlSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(fields[8..], (ushort)data.Length);
        buffer.Write(fields);
        buffer.Write(data);
    }

    private static (DnsType Type, byte[] Data) DataOf(DnsRecord record)
    {
        using var data = new MemoryStream();
        switch (record)
        {
            case DnsRecord.Host host:
                return (host.Address.AddressFamily == AddressFamily.InterNetwork ? DnsType.A : DnsType.Aaaa, host.Address.GetAddressBytes());
            case DnsRecord.Alias alias:
                WriteName(data, alias.Target);
                return (DnsType.Cname, data.ToArray());
            case DnsRecord.Service { Target: var target }:
                data.Write([0, 0, 0, 100, (byte)(target.Port >> 8), (byte)target.Port]); // Priority, weight, port.
                WriteName(data, target.Host);
                return (DnsType.Srv, data.ToArray());
            default:
                throw new InvalidOperationException($"The record {record} is not known.");
        }
    }

    private static void WriteName(MemoryStream buffer, string name)
    {
        foreach (var label in name.Split('.'))
        {
            buffer.WriteByte((byte)label.Length);
            buffer.Write(Encoding.ASCII.GetBytes(label));
        }

        buffer.WriteByte(0);
    }
}

/// <summary>What a resolver said.</summary>
internal sealed record DnsAddresses(IReadOnlyList<IPAddress> Addresses, int TtlSeconds, bool IsTruncated);
