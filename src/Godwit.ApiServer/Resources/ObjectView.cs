using System.Buffers;
using System.Globalization;
using System.Text;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>The metadata of a list answer.</summary>
internal readonly record struct ListHead(long Revision, string Continue, long Remaining);

/// <summary>One way to show objects of a kind: alone, in a list, and in a watch event.</summary>
internal abstract class ObjectView
{
    /// <summary>Writes one object as an answer of its own, or as the object of a watch event.</summary>
    public abstract void WriteObject(IBufferWriter<byte> output, StoredObject item);

    /// <summary>Opens a list, up to its array of items.</summary>
    public abstract void WriteListHead(IBufferWriter<byte> output, ListHead head);

    /// <summary>Writes one element of the list's array, without a comma.</summary>
    public abstract void WriteListItem(IBufferWriter<byte> output, StoredObject item);

    public static void WriteListTail(IBufferWriter<byte> output) => output.Write("]}"u8);

    protected static void WriteListMeta(IBufferWriter<byte> output, string apiVersion, string kind, ListHead head)
    {
        var text = new StringBuilder(160)
            .Append(CultureInfo.InvariantCulture, $$"""{"kind":"{{kind}}","apiVersion":"{{apiVersion}}","metadata":{"resourceVersion":"{{head.Revision}}""")
            .Append('"');
        if (head.Continue.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $",\"continue\":\"{head.Continue}\"");
            if (head.Remaining > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $",\"remainingItemCount\":{head.Remaining}");
            }
        }

        output.Write(Encoding.UTF8.GetBytes(text.Append('}').ToString()));
    }
}

/// <summary>The object itself: bytes copied from the store.</summary>
internal sealed class WholeView(ServedResource resource) : ObjectView
{
    public override void WriteObject(IBufferWriter<byte> output, StoredObject item) => item.Resource.Form.Write(output, item.Value.Span, item.Revision);

    public override void WriteListHead(IBufferWriter<byte> output, ListHead head)
    {
        WriteListMeta(output, resource.Definition.ApiVersion, resource.Definition.Kind + "List", head);
        output.Write(",\"items\":["u8);
    }

    public override void WriteListItem(IBufferWriter<byte> output, StoredObject item) => WriteObject(output, item);
}

/// <summary><c>PartialObjectMetadata</c>: what a client needs that only counts, labels or owns.</summary>
internal sealed class MetadataView : ObjectView
{
    public override void WriteObject(IBufferWriter<byte> output, StoredObject item) => WriteMetadataObject(output, item);

    public override void WriteListHead(IBufferWriter<byte> output, ListHead head)
    {
        WriteListMeta(output, "meta.k8s.io/v1", "PartialObjectMetadataList", head);
        output.Write(",\"items\":["u8);
    }

    public override void WriteListItem(IBufferWriter<byte> output, StoredObject item) => WriteObject(output, item);

    public static void WriteMetadataObject(IBufferWriter<byte> output, StoredObject item)
    {
        output.Write("{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":"u8);
        item.Resource.Form.WriteMetadata(output, item.Value.Span, item.Revision);
        output.Write("}"u8);
    }
}
