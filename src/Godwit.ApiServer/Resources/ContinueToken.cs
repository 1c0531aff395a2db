using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Where a paged list goes on: after the key, at the revision. Opaque to clients; it holds no secret and gives no
/// right, since the key must lie under the prefix of the list that it is used for. At one revision what remains is known
/// from the first page on: the token carries it, so that no page after the first counts.
/// </summary>
/// <param name="Revision">The revision of the whole list.</param>
/// <param name="AfterKey">The last key of the page before.</param>
/// <param name="Remaining">How many objects come after it; 0 when that was not counted.</param>
internal readonly record struct ContinueToken(long Revision, string AfterKey, long Remaining = 0)
{
    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"2 {Revision} {Remaining} {AfterKey}")));

    /// <exception cref="StatusException">Not a token of this server, or of another list: 400.</exception>
    public static ContinueToken Parse(string text, string keyPrefix)
    {
        if (text.Length <= 2048 && Base64Url.IsValid(text))
        {
            var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split(' ', 4);
            if (parts is ["2", var revision, var rest, var key] && key.StartsWith(keyPrefix, StringComparison.Ordinal)
                && long.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                && long.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out var remaining))
            {
                return new ContinueToken(number, key, remaining);
            }
        }

        throw StatusException.BadRequest("continue key is not valid: it was not made by this server for this list");
    }
}
