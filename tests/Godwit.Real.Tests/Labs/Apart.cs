using System.Net.Sockets;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Names and addresses for what tests make on this host, where several stand at a time, also of several test processes.
/// <para>
/// A name is a letter for its kind, a number that nothing else of this process has, and the process. All names of one kind have one length, so none of
/// them is a part of another, and who looks for what one has left finds nothing of another's.
/// </para>
/// </summary>
internal static class Apart
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    private const int NumbersMax = 36 * 36;
    private static int count = -1;

    /// <summary>A name for an instance of Godwit, of the eight letters and digits that one may have.</summary>
    /// <param name="kind">A letter that tells people what made it.</param>
    public static string Instance(char kind) => $"{kind}{Number()}{Text(Environment.ProcessId, 5)}";

    /// <summary>Five letters and digits, for names of links, of which little may be taken.</summary>
    public static string Short() => $"{Number()}{Process}";

    /// <summary>Three letters and digits that stand for this process among those that live.</summary>
    public static string Process => Text(Environment.ProcessId, 3);

    private static string Number()
    {
        var number = Interlocked.Increment(ref count);
        Assert.InRange(number, 0, NumbersMax - 1);
        return Text(number, 2);
    }

    private static string Text(int number, int length)
    {
        var text = new char[length];
        for (var place = length - 1; place >= 0; place--, number /= Digits.Length)
        {
            text[place] = Digits[number % Digits.Length];
        }

        return new string(text);
    }
}

/// <summary>
/// Sixteen subnets of 256 addresses that no other test on this host has until this is disposed, or its process ends. What keeps others away is an abstract
/// socket that is bound to the range's name: the kernel lets one process bind it, and takes it back itself.
/// </summary>
internal sealed class OwnSubnets : IDisposable
{
    private const int RangesMax = 1600;
    private readonly Socket hold;

    private OwnSubnets(Socket hold, string pool) => (this.hold, Pool) = (hold, pool);

    /// <summary>As an engine is told of it.</summary>
    public string Pool { get; }

    public static OwnSubnets Take()
    {
        for (var range = 0; range < RangesMax; range++)
        {
            var bound = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                bound.Bind(new UnixDomainSocketEndPoint($"\0godwit-test-subnets-{range}"));
                return new OwnSubnets(bound, $"10.{100 + (range / 16)}.{range % 16 * 16}.0/20,24");
            }
            catch (SocketException taken) when (taken.SocketErrorCode is SocketError.AddressAlreadyInUse)
            {
                bound.Dispose();
            }
        }

        throw new InvalidOperationException($"all {RangesMax} ranges for tests are taken on this host");
    }

    public void Dispose() => hold.Dispose();
}
